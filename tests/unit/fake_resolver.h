/* fake_resolver - a getaddrinfo() of the test program's own, in place of the system's: names mean
 * what the test says, and the answer comes when it lets it.  Included by one file of a program. */
#ifndef UNIT_FAKE_RESOLVER_H
#define UNIT_FAKE_RESOLVER_H

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_ADDRESSES_MAX = 24 };

static atomic_uint fake_questions; /* those that would have left the machine */
static pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fake_turn = PTHREAD_COND_INITIALIZER;

/* Under the lock, since a question that nobody waits for any more may still be on its way. */
static const char *fake_addresses[FAKE_ADDRESSES_MAX];
static int fake_error;
static bool fake_held; /* no answer yet */

/* What every name stands for from now on: a list that ends with NULL, or an error. */
static inline void
fake_answer(const char *const *list, int error)
{
    pthread_mutex_lock(&fake_lock);
    memset(fake_addresses, 0, sizeof fake_addresses);
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        fake_addresses[i] = list[i];
    fake_error = error;
    pthread_mutex_unlock(&fake_lock);
}

static inline void
fake_hold(bool held)
{
    pthread_mutex_lock(&fake_lock);
    fake_held = held;
    pthread_cond_broadcast(&fake_turn);
    pthread_mutex_unlock(&fake_lock);
}

static struct addrinfo *
fake_info(const char *text)
{
    struct both {
        struct addrinfo info;
        struct sockaddr_storage address;
    } *both = calloc(1, sizeof *both);
    struct sockaddr_in *four = (struct sockaddr_in *) &both->address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *) &both->address;

    both->info.ai_addr = (struct sockaddr *) &both->address;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        both->info.ai_family = four->sin_family = AF_INET;
        both->info.ai_addrlen = sizeof *four;
    } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        both->info.ai_family = six->sin6_family = AF_INET6;
        both->info.ai_addrlen = sizeof *six;
    } else {
        free(both);
        return NULL;
    }
    return &both->info;
}

void
freeaddrinfo(struct addrinfo *info)
{
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

int
getaddrinfo(const char *restrict name, const char *restrict service,
            const struct addrinfo *restrict hints, struct addrinfo **restrict result)
{
    (void) service;
    *result = NULL;
    if (hints->ai_flags & AI_NUMERICHOST) {
        *result = fake_info(name);
        return *result == NULL ? EAI_NONAME : 0;
    }
    atomic_fetch_add(&fake_questions, 1);
    pthread_mutex_lock(&fake_lock);
    while (fake_held)
        pthread_cond_wait(&fake_turn, &fake_lock);
    int error = fake_error;
    struct addrinfo **link = result;
    for (size_t i = 0; error == 0 && i < FAKE_ADDRESSES_MAX && fake_addresses[i] != NULL; i++) {
        *link = fake_info(fake_addresses[i]);
        link = &(*link)->ai_next;
    }
    pthread_mutex_unlock(&fake_lock);
    return error == 0 && *result == NULL ? EAI_NONAME : error;
}

#endif
