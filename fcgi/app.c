/* Configuration and store for the handlers; see app.h. */
#include "app.h"

int
app_init(struct app *app, const struct cic_conf *conf, struct cic_err *err)
{
	*app = (struct app){ .conf = conf, .site = cic_conf_site(conf) };
	pthread_mutex_init(&app->lock, NULL);
	return cic_path_format(app->db, err, "%s/db", conf->data);
}

void
app_release(struct app *app)
{
	cic_store_close(app->store);
	pthread_mutex_destroy(&app->lock);
}

struct cic_store *
app_store(struct app *app, struct cic_err *err)
{
	struct cic_store *store;

	pthread_mutex_lock(&app->lock);
	if (app->store == NULL)
		app->store = cic_store_open(app->db, &app->site, err);
	store = app->store;
	pthread_mutex_unlock(&app->lock);
	return store;
}

bool
app_worker_lives(const struct app *app)
{
	char lock[CIC_PATH_MAX];
	struct cic_err ignored;

	return cic_path_format(lock, &ignored, "%s/worker.lock",
	    app->db) == 0 && cic_lock_is_held(lock);
}
