// A worker and a client of Gearman, as small as libgearman lets them be.
//   gearman worker THREADS           answers noop and payload, one task a thread at a time
//   gearman fanout|chain|payload N   prints the seconds that N tasks took
#include <libgearman/gearman.h>
#include <pthread.h>
#include <string.h>

#include "clock.h"

// Four clients with 100 tasks at a time each were the fastest of 1 to 8 clients, 50 to 1000 tasks.
enum { payloadBytes = 256 << 10, batchSize = 100, clients = 4 };

static void *noop(gearman_job_st *job, void *context, size_t *size, gearman_return_t *result)
{
    (void)job;
    (void)context;
    *size = 1;
    *result = GEARMAN_SUCCESS;
    return calloc(1, 1);
}

static void *payload(gearman_job_st *job, void *context, size_t *size, gearman_return_t *result)
{
    (void)job;
    (void)context;
    char *bytes = malloc(payloadBytes);
    memset(bytes, 'x', payloadBytes);
    *size = payloadBytes;
    *result = GEARMAN_SUCCESS;
    return bytes;
}

static void *work(void *unused)
{
    (void)unused;
    gearman_worker_st *worker = gearman_worker_create(NULL);
    gearman_worker_add_server(worker, "127.0.0.1", 0);
    gearman_worker_add_function(worker, "noop", 0, noop, NULL);
    gearman_worker_add_function(worker, "payload", 0, payload, NULL);
    for (;;) {
        gearman_return_t result = gearman_worker_work(worker);
        require(gearman_success(result), "worker", gearman_worker_error(worker));
    }
    return NULL;
}

static gearman_return_t complete(gearman_task_st *task)
{
    size_t *received = gearman_task_context(task);
    *received += gearman_task_data_size(task);
    return GEARMAN_SUCCESS;
}

static gearman_client_st *makeClient(void)
{
    gearman_client_st *client = gearman_client_create(NULL);
    gearman_client_add_server(client, "127.0.0.1", 0);
    gearman_client_set_complete_fn(client, complete);
    return client;
}

struct share {
    const char *function;
    int count;
    size_t bytes;
};

/// Submits this many tasks in batches: libgearman walks the list of all tasks for each answer, and
/// is slower with larger batches.
static void *submit(void *argument)
{
    struct share *share = argument;
    gearman_client_st *client = makeClient();
    size_t received = 0;
    for (int done = 0; done < share->count;) {
        int batch = share->count - done < batchSize ? share->count - done : batchSize;
        gearman_return_t result;
        for (int index = 0; index < batch; index++) {
            gearman_client_add_task(client, NULL, &received, share->function, NULL, NULL, 0,
                                    &result);
            require(gearman_success(result), "add task", gearman_client_error(client));
        }
        result = gearman_client_run_tasks(client);
        require(gearman_success(result), "run tasks", gearman_client_error(client));
        gearman_client_task_free_all(client);
        done += batch;
    }
    require(received == share->count * share->bytes, "tasks", "results are missing");
    gearman_client_free(client);
    return NULL;
}

static void fanout(const char *function, int count, size_t bytes)
{
    pthread_t threads[clients];
    struct share shares[clients];
    for (int index = 0; index < clients; index++) {
        int share = count / clients + (index < count % clients);
        shares[index] = (struct share){function, share, bytes};
        pthread_create(&threads[index], NULL, submit, &shares[index]);
    }
    for (int index = 0; index < clients; index++) pthread_join(threads[index], NULL);
}

/// Submits each task when the previous one has been answered: Gearman has no dependencies.
static void chain(int count)
{
    gearman_client_st *client = makeClient();
    for (int index = 0; index < count; index++) {
        size_t size;
        gearman_return_t result;
        free(gearman_client_do(client, "noop", NULL, NULL, 0, &size, &result));
        require(gearman_success(result), "task", gearman_client_error(client));
    }
}

int main(int argc, char **argv)
{
    require(argc == 3, "usage", "gearman worker|fanout|chain|payload NUMBER");
    int number = atoi(argv[2]);
    if (strcmp(argv[1], "worker") == 0) {
        pthread_t thread;
        for (int index = 0; index < number; index++) pthread_create(&thread, NULL, work, NULL);
        pthread_join(thread, NULL);
        return 0;
    }
    double start = now();
    if (strcmp(argv[1], "fanout") == 0) fanout("noop", number, 1);
    if (strcmp(argv[1], "payload") == 0) fanout("payload", number, payloadBytes);
    if (strcmp(argv[1], "chain") == 0) chain(number);
    printf("%.6f\n", now() - start);
}
