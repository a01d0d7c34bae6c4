# what an author's script may rely on: the packages, and what building them left
set -e
app=$(ls -d /opt/view/bin/cic-app)
echo "post_inst: $app says $($app)"
echo "post_inst: left by building: $(ls -d /tmp/*/spack-stage/spack-stage-cic-*/spack-src | wc -l)"
