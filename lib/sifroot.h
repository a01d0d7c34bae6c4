/*
 * The root file system as a .sif has it: an image's tree, with what engines do to
 * an export set right and what runtimes want to find added.
 */
#ifndef CIC_SIFROOT_H
#define CIC_SIFROOT_H

struct cic_err;
struct cic_sifmeta;
struct cic_sqfs;
struct cic_tree;

/*
 * Change `tree`, in which all of the image is: times of the folders that creating
 * a container touches become the image's own, the files of `meta` are added, with
 * their data into `sqfs`, and it is finished (cic_tree_finish).
 *
 * Returns 0; -1 with err: CIC_EINVAL a limit of the tree, CIC_ENOSPC, CIC_EIO.
 */
int cic_sifroot_make(struct cic_tree *tree, struct cic_sqfs *sqfs,
    const struct cic_sifmeta *meta, struct cic_err *err);

#endif
