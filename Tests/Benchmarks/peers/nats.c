// A worker and a client of NATS: requests to a queue group, and their replies.
//   nats worker THREADS           answers noop, hop and payload, one message a thread at a time
//   nats fanout|chain|payload N   prints the seconds that N requests took
// With a last argument "kept" the requests are put into a stream of JetStream, in memory, which
// sends one again until a worker has acknowledged it.
#include <nats/nats.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { payloadBytes = 256 << 10, patience = 60000 };

static const char *const answers = "answers";
static bool isKept = false;

static void check(natsStatus status, const char *what)
{
    require(status == NATS_OK, what, natsStatus_GetText(status));
}

/// `asap` writes each message at once: lower latency, lower throughput.
static natsConnection *connectTo(bool asap)
{
    natsOptions *options;
    natsConnection *connection;
    check(natsOptions_Create(&options), "options");
    check(natsOptions_SetURL(options, "nats://127.0.0.1:4222"), "address");
    check(natsOptions_SetSendAsap(options, asap), "options");
    check(natsConnection_Connect(&connection, options), "connect");
    return connection;
}

static jsCtx *stream(natsConnection *connection)
{
    jsCtx *context;
    jsStreamConfig config;
    const char *subjects[] = {"noop", "hop", "payload"};
    check(natsConnection_JetStream(&context, connection, NULL), "stream");
    check(jsStreamConfig_Init(&config), "stream");
    config.Name = "requests";
    config.Subjects = subjects;
    config.SubjectsLen = 3;
    config.Retention = js_WorkQueuePolicy;
    config.Storage = js_MemoryStorage;
    // It is not an error if another process has already made the stream.
    check(js_AddStream(NULL, context, &config, NULL, NULL), "stream");
    return context;
}

// MARK: - Worker

static void answer(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                   void *payload)
{
    (void)subscription;
    // Never empty: an empty message is the server's answer when there is no worker.
    const void *bytes = payload == NULL ? "x" : payload;
    int size = payload == NULL ? 1 : payloadBytes;
    // A kept message is acknowledged at its reply address.
    const char *address = isKept ? answers : natsMsg_GetReply(message);
    check(natsConnection_Publish(connection, address, bytes, size), "reply");
    if (isKept) check(natsMsg_Ack(message, NULL), "acknowledge");
    natsMsg_Destroy(message);
}

static void serve(natsConnection *connection, const char *subject, void *payload)
{
    natsSubscription *subscription;
    if (isKept) {
        jsSubOptions options;
        check(jsSubOptions_Init(&options), "subscribe");
        options.Queue = subject;
        options.ManualAck = true;
        check(js_Subscribe(&subscription, stream(connection), subject, answer, payload, NULL,
                           &options, NULL),
              "subscribe");
    } else {
        check(natsConnection_QueueSubscribe(&subscription, connection, subject, "workers", answer,
                                            payload),
              "subscribe");
    }
    check(natsSubscription_SetPendingLimits(subscription, -1, -1), "limits");
}

static void work(int threads)
{
    natsConnection *batching = connectTo(false), *prompt = connectTo(true);
    char *payload = malloc(payloadBytes);
    memset(payload, 'x', payloadBytes);
    // The library gives each subscription a thread of its own.
    for (int index = 0; index < threads; index++) {
        serve(batching, "noop", NULL);
        serve(batching, "payload", payload);
        serve(prompt, "hop", NULL);
    }
    check(natsConnection_Flush(batching), "subscribe");
    check(natsConnection_Flush(prompt), "subscribe");
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}

// MARK: - Client

static natsSubscription *listenForAnswers(natsConnection *connection)
{
    natsSubscription *inbox;
    check(natsConnection_SubscribeSync(&inbox, connection, answers), "subscribe");
    check(natsSubscription_SetPendingLimits(inbox, -1, -1), "limits");
    return inbox;
}

static long receive(natsSubscription *inbox)
{
    natsMsg *message;
    check(natsSubscription_NextMsg(&message, inbox, patience), "reply");
    long bytes = natsMsg_GetDataLength(message);
    natsMsg_Destroy(message);
    return bytes;
}

/// Sends all requests at once and reads the replies as they arrive.
static void fanout(const char *subject, int count, long bytes)
{
    natsConnection *connection = connectTo(false);
    natsSubscription *inbox = listenForAnswers(connection);
    jsCtx *context = isKept ? stream(connection) : NULL;
    for (int index = 0; index < count; index++) {
        natsStatus status =
            isKept ? js_PublishAsync(context, subject, NULL, 0, NULL)
                   : natsConnection_PublishRequest(connection, subject, answers, NULL, 0);
        check(status, "request");
    }
    long received = 0;
    for (int index = 0; index < count; index++) received += receive(inbox);
    require(received == count * bytes, "replies", "bytes are missing");
}

/// Sends each request when the previous one has been answered: NATS has no dependencies.
static void chain(int count)
{
    natsConnection *connection = connectTo(true);
    natsSubscription *inbox = listenForAnswers(connection);
    jsCtx *context = isKept ? stream(connection) : NULL;
    for (int index = 0; index < count; index++) {
        natsStatus status =
            isKept ? js_PublishAsync(context, "hop", NULL, 0, NULL)
                   : natsConnection_PublishRequest(connection, "hop", answers, NULL, 0);
        check(status, "request");
        receive(inbox);
    }
}

int main(int argc, char **argv)
{
    require(argc == 3 || (argc == 4 && strcmp(argv[3], "kept") == 0), "usage",
            "nats worker|fanout|chain|payload NUMBER [kept]");
    int number = atoi(argv[2]);
    isKept = argc == 4;
    if (strcmp(argv[1], "worker") == 0) work(number);
    double start = now();
    if (strcmp(argv[1], "fanout") == 0) fanout("noop", number, 1);
    if (strcmp(argv[1], "payload") == 0) fanout("payload", number, payloadBytes);
    if (strcmp(argv[1], "chain") == 0) chain(number);
    printf("%.6f\n", now() - start);
}
