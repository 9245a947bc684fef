// The shim over libpq; CPostgreSQL.h says what each function does.
#include "CPostgreSQL.h"

#include <dlfcn.h>
#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
#else
#include <libpq-fe.h>
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// MARK: - The library

// A coordinator with a journal of its own, and every worker, do without it.
#define EACH_FUNCTION(use) \
    use(libVersion) \
    use(conninfoParse) \
    use(conninfoFree) \
    use(freemem) \
    use(connectStartParams) \
    use(connectdbParams) \
    use(connectPoll) \
    use(finish) \
    use(status) \
    use(socket) \
    use(errorMessage) \
    use(setnonblocking) \
    use(setNoticeProcessor) \
    use(enterPipelineMode) \
    use(sendPrepare) \
    use(sendQueryPrepared) \
    use(pipelineSync) \
    use(flush) \
    use(consumeInput) \
    use(isBusy) \
    use(getResult) \
    use(prepare) \
    use(execPrepared) \
    use(resultStatus) \
    use(resultErrorField) \
    use(resultErrorMessage) \
    use(ntuples) \
    use(getisnull) \
    use(getlength) \
    use(getvalue) \
    use(clear)

#define DECLARE(name) __typeof__(&PQ##name) name;
static struct { EACH_FUNCTION(DECLARE) } api;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;

static void load(void) {
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return;
    // One without pipelines, older than 14, lacks a function.
#define FIND(name) \
    api.name = (__typeof__(api.name))dlsym(library, "PQ" #name); \
    if (api.name == NULL) return;
    EACH_FUNCTION(FIND)
    is_loaded = true;
}

static bool is_there(void) {
    pthread_once(&once, load);
    return is_loaded;
}

int weft_pg_version(void) { return is_there() ? api.libVersion() : 0; }

bool weft_pg_name(const char *url, char *name, size_t capacity) {
    if (!is_there()) return false;
    // What it says of a mistake may have the password in it.
    char *mistake = NULL;
    PQconninfoOption *options = api.conninfoParse(url, &mistake);
    api.freemem(mistake);
    if (options == NULL) return false;
    const char *user = NULL, *host = NULL, *port = NULL, *database = NULL;
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "user") == 0) user = option->val;
        if (strcmp(option->keyword, "host") == 0) host = option->val;
        if (strcmp(option->keyword, "hostaddr") == 0 && host == NULL) host = option->val;
        if (strcmp(option->keyword, "port") == 0) port = option->val;
        if (strcmp(option->keyword, "dbname") == 0) database = option->val;
    }
    snprintf(
        name, capacity, "postgresql://%s%s%s%s%s/%s", user ? user : "", user ? "@" : "",
        host ? host : "", port ? ":" : "", port ? port : "", database ? database : "");
    api.conninfoFree(options);
    return true;
}

// MARK: - Connections

struct weft_pg {
    PGconn *connection;
    // What connecting waits for.
    PostgresPollingStatusType polled;
    bool is_connected, has_more;
    // Statements and syncs without an outcome.
    size_t pending;
    PGresult *result;
    char message[1024];
    char state[6];
    // The values of the next statement: offsets into `bytes`, as that may move.
    struct { size_t offset; int length; bool is_null; } *values;
    int value_count, value_capacity;
    uint8_t *bytes;
    size_t byte_count, byte_capacity;
};

static void ignore(void *context, const char *text) {
    (void)context;
    (void)text;
}

// Keeps a message without the line feeds that libpq ends it with.
static void note(weft_pg *pg, const char *message, const char *state) {
    snprintf(pg->message, sizeof pg->message, "%s", message ? message : "");
    size_t length = strlen(pg->message);
    while (length > 0 && pg->message[length - 1] == '\n') pg->message[--length] = 0;
    // It is shown in one line.
    char *end = pg->message;
    for (size_t index = 0; index < length; index++) {
        bool is_space = pg->message[index] == '\n' || pg->message[index] == '\t';
        if (!is_space) *end++ = pg->message[index];
        else if (end > pg->message && end[-1] != ' ') *end++ = ' ';
    }
    *end = 0;
    snprintf(pg->state, sizeof pg->state, "%s", state ? state : "");
}

static weft_pg_outcome lost(weft_pg *pg) {
    note(pg, pg->connection ? api.errorMessage(pg->connection) : "there is no memory", NULL);
    return WEFT_PG_LOST;
}

static weft_pg *connect(const char *url, int keepalive, bool waits) {
    weft_pg *pg = is_there() ? calloc(1, sizeof *pg) : NULL;
    if (pg == NULL) return NULL;
    char idle[16], interval[16], timeout[16];
    int pause = keepalive / 3 > 0 ? keepalive / 3 : 1;
    snprintf(idle, sizeof idle, "%d", keepalive);
    snprintf(interval, sizeof interval, "%d", pause);
    snprintf(timeout, sizeof timeout, "%d", (keepalive + 3 * pause) * 1000);
    // The URL comes last, so that it has the last word.
    const char *names[] = {
        "application_name", "client_encoding", "connect_timeout", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "tcp_user_timeout", "dbname", NULL};
    const char *values[] = {"weftline", "UTF8", "10", idle, interval, "3", timeout, url, NULL};
    if (waits) {
        pg->connection = api.connectdbParams(names, values, 1);
        pg->is_connected = api.status(pg->connection) == CONNECTION_OK;
    } else {
        pg->connection = api.connectStartParams(names, values, 1);
        pg->polled = PGRES_POLLING_WRITING;
    }
    if (pg->connection != NULL) api.setNoticeProcessor(pg->connection, ignore, NULL);
    if (api.status(pg->connection) == CONNECTION_BAD) lost(pg);
    return pg;
}

weft_pg *weft_pg_begin(const char *url, int keepalive) { return connect(url, keepalive, false); }

weft_pg *weft_pg_open(const char *url, int keepalive) { return connect(url, keepalive, true); }

weft_pg_outcome weft_pg_go_on(weft_pg *pg) {
    if (api.status(pg->connection) == CONNECTION_BAD) return lost(pg);
    pg->polled = api.connectPoll(pg->connection);
    switch (pg->polled) {
    case PGRES_POLLING_OK: break;
    case PGRES_POLLING_FAILED: return lost(pg);
    default: return WEFT_PG_WAIT;
    }
    if (api.setnonblocking(pg->connection, 1) != 0 || !api.enterPipelineMode(pg->connection)) {
        return lost(pg);
    }
    pg->is_connected = true;
    return WEFT_PG_DONE;
}

void weft_pg_close(weft_pg *pg) {
    api.clear(pg->result);
    api.finish(pg->connection);
    free(pg->values);
    free(pg->bytes);
    free(pg);
}

int weft_pg_socket(const weft_pg *pg) { return api.socket(pg->connection); }

bool weft_pg_wants_read(const weft_pg *pg) {
    return pg->is_connected || pg->polled == PGRES_POLLING_READING;
}

bool weft_pg_wants_write(const weft_pg *pg) {
    return pg->is_connected ? pg->has_more : pg->polled == PGRES_POLLING_WRITING;
}

const char *weft_pg_message(const weft_pg *pg) { return pg->message; }

const char *weft_pg_state(const weft_pg *pg) { return pg->state; }

// MARK: - Values

static void add(weft_pg *pg, const uint8_t *bytes, size_t length, bool is_null) {
    if (pg->value_count == pg->value_capacity) {
        int capacity = pg->value_capacity * 2 + 8;
        void *grown = realloc(pg->values, (size_t)capacity * sizeof *pg->values);
        // Records without room for them must not be passed by.
        if (grown == NULL) abort();
        pg->values = grown;
        pg->value_capacity = capacity;
    }
    if (pg->byte_count + length > pg->byte_capacity) {
        size_t capacity = pg->byte_capacity * 2 + length + 256;
        void *grown = realloc(pg->bytes, capacity);
        if (grown == NULL) abort();
        pg->bytes = grown;
        pg->byte_capacity = capacity;
    }
    if (length > 0) memcpy(pg->bytes + pg->byte_count, bytes, length);
    pg->values[pg->value_count].offset = pg->byte_count;
    pg->values[pg->value_count].length = (int)length;
    pg->values[pg->value_count].is_null = is_null;
    pg->value_count++;
    pg->byte_count += length;
}

void weft_pg_add_null(weft_pg *pg) { add(pg, NULL, 0, true); }

void weft_pg_add_integer(weft_pg *pg, int64_t value) {
    uint8_t bytes[8];
    for (int index = 0; index < 8; index++) {
        bytes[index] = (uint8_t)((uint64_t)value >> (56 - 8 * index));
    }
    add(pg, bytes, sizeof bytes, false);
}

void weft_pg_add_bytes(weft_pg *pg, const uint8_t *bytes, size_t length) {
    add(pg, bytes, length, false);
}

// What libpq takes: one array each, all values in their binary form.
enum { VALUES_MAX = 64 };
struct arguments {
    const char *values[VALUES_MAX];
    int lengths[VALUES_MAX], formats[VALUES_MAX];
};

static void fill(weft_pg *pg, struct arguments *arguments) {
    if (pg->value_count > VALUES_MAX) abort();
    for (int index = 0; index < pg->value_count; index++) {
        // Bytes of no length are not NULL.
        const char *value =
            pg->values[index].length > 0 ? (const char *)pg->bytes + pg->values[index].offset : "";
        arguments->values[index] = pg->values[index].is_null ? NULL : value;
        arguments->lengths[index] = pg->values[index].length;
        arguments->formats[index] = 1;
    }
}

static void drop_values(weft_pg *pg) {
    pg->value_count = 0;
    pg->byte_count = 0;
    // Large values are rare, and their memory is not kept.
    if (pg->byte_capacity <= 8 << 20) return;
    free(pg->bytes);
    pg->bytes = NULL;
    pg->byte_capacity = 0;
}

// MARK: - Pipelines

static bool sent(weft_pg *pg, int result) {
    if (result == 1) {
        pg->pending++;
        return true;
    }
    lost(pg);
    return false;
}

bool weft_pg_prepare(weft_pg *pg, const char *name, const char *text) {
    return sent(pg, api.sendPrepare(pg->connection, name, text, 0, NULL));
}

bool weft_pg_run(weft_pg *pg, const char *name) {
    struct arguments arguments;
    fill(pg, &arguments);
    int result = api.sendQueryPrepared(
        pg->connection, name, pg->value_count, arguments.values, arguments.lengths,
        arguments.formats, 1);
    drop_values(pg);
    return sent(pg, result);
}

bool weft_pg_sync(weft_pg *pg) { return sent(pg, api.pipelineSync(pg->connection)); }

bool weft_pg_flush(weft_pg *pg) {
    int flushed = api.flush(pg->connection);
    pg->has_more = flushed == 1;
    if (flushed >= 0) return true;
    lost(pg);
    return false;
}

bool weft_pg_read(weft_pg *pg) {
    if (api.consumeInput(pg->connection) == 1) return true;
    lost(pg);
    return false;
}

// Notes a result that is no success, and says what it is.
static weft_pg_outcome judge(weft_pg *pg, PGresult *result) {
    switch (api.resultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        api.clear(pg->result);
        pg->result = result;
        return WEFT_PG_DONE;
    case PGRES_PIPELINE_SYNC:
        api.clear(result);
        return WEFT_PG_SYNCED;
    case PGRES_PIPELINE_ABORTED:
        api.clear(result);
        return WEFT_PG_SKIPPED;
    default: break;
    }
    const char *primary = api.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    note(
        pg, primary ? primary : api.resultErrorMessage(result),
        api.resultErrorField(result, PG_DIAG_SQLSTATE));
    api.clear(result);
    return api.status(pg->connection) == CONNECTION_BAD ? WEFT_PG_LOST : WEFT_PG_FAILED;
}

weft_pg_outcome weft_pg_next(weft_pg *pg) {
    // The results of each statement end with none.
    for (int ends = 0; pg->pending > 0 && ends < 2;) {
        if (api.isBusy(pg->connection)) return WEFT_PG_WAIT;
        PGresult *result = api.getResult(pg->connection);
        if (result == NULL) {
            ends++;
            continue;
        }
        pg->pending--;
        return judge(pg, result);
    }
    return WEFT_PG_WAIT;
}

// MARK: - Waiting

weft_pg_outcome weft_pg_prepare_now(weft_pg *pg, const char *name, const char *text) {
    if (!pg->is_connected) return WEFT_PG_LOST;
    return judge(pg, api.prepare(pg->connection, name, text, 0, NULL));
}

weft_pg_outcome weft_pg_run_now(weft_pg *pg, const char *name) {
    if (!pg->is_connected) return WEFT_PG_LOST;
    struct arguments arguments;
    fill(pg, &arguments);
    PGresult *result = api.execPrepared(
        pg->connection, name, pg->value_count, arguments.values, arguments.lengths,
        arguments.formats, 1);
    drop_values(pg);
    return judge(pg, result);
}

// MARK: - Rows

// It is libpq's result under another name.
weft_pg_rows *weft_pg_take_rows(weft_pg *pg) {
    weft_pg_rows *rows = (weft_pg_rows *)pg->result;
    pg->result = NULL;
    return rows;
}

static PGresult *result_of(const weft_pg_rows *rows) { return (PGresult *)rows; }

void weft_pg_rows_free(weft_pg_rows *rows) { api.clear(result_of(rows)); }

int weft_pg_rows_count(const weft_pg_rows *rows) { return api.ntuples(result_of(rows)); }

bool weft_pg_is_null(const weft_pg_rows *rows, int row, int column) {
    return api.getisnull(result_of(rows), row, column) == 1;
}

int64_t weft_pg_integer(const weft_pg_rows *rows, int row, int column) {
    const uint8_t *bytes = (const uint8_t *)api.getvalue(result_of(rows), row, column);
    int length = api.getlength(result_of(rows), row, column);
    if (bytes == NULL || length == 0 || length > 8) return 0;
    uint64_t value = length > 1 && bytes[0] & 0x80 ? UINT64_MAX : 0;
    for (int index = 0; index < length; index++) value = value << 8 | bytes[index];
    return (int64_t)value;
}

size_t weft_pg_length(const weft_pg_rows *rows, int row, int column) {
    return (size_t)api.getlength(result_of(rows), row, column);
}

void weft_pg_copy(const weft_pg_rows *rows, int row, int column, uint8_t *bytes) {
    const char *value = api.getvalue(result_of(rows), row, column);
    int length = api.getlength(result_of(rows), row, column);
    if (value != NULL && length > 0) memcpy(bytes, value, (size_t)length);
}
