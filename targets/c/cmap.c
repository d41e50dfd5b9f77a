/*
 * Elements hang in the buckets of a table by links of their own, so that a table that is replaced stays as it was: who
 * walks through it, an iteration say, sees every element that stays, once. An element is shared by the links of all
 * tables; whoever claims it (`gone`) has removed it.
 *
 * What was taken out, elements, links and tables, lies in limbo until a moment at which nobody is inside (`inside`): who
 * comes later cannot reach it. That moment is seen by an atomic addition of 0 and not by a load: additions to a word are
 * in one order, so whoever enters after it has acquired all that was unlinked before it.
 */
#include "cmap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    STRIPES = 4,  /* locks; a power of two */
    SMALLEST = 4, /* buckets of the smallest table; a power of two, no less than the locks */
};

/* What can be in limbo; the first member of each. */
struct limbo {
    struct limbo *next;
    enum { ELEMENT, LINK, TABLE } kind;
};

struct element {
    struct limbo limbo;
    uint64_t hash;
    void *key;
    void *value;
    atomic_int gone; /* set once, by who removes it */
};

struct link {
    struct limbo limbo;
    struct element *element;
    struct link *_Atomic next;
};

struct table {
    struct limbo limbo;
    size_t size; /* a power of two */
    struct link *_Atomic buckets[];
};

struct cmap {
    struct cmap_type type;
    pthread_mutex_t stripes[STRIPES]; /* a bucket's by the low bits of the hash; all of them for the table */
    struct table *_Atomic table;
    struct limbo *_Atomic limbo;
    atomic_size_t count;
    atomic_size_t inside; /* who may look at what has been removed meanwhile */
};

int cmap_mistake;

/* Limbo */

/* Puts a list into limbo, from `first` to `last`. */
static void push(struct cmap *map, struct limbo *first, struct limbo *last)
{
    struct limbo *seen = atomic_load_explicit(&map->limbo, memory_order_relaxed);
    do {
        last->next = seen;
    } while (!atomic_compare_exchange_weak_explicit(&map->limbo, &seen, first, memory_order_release,
                                                    memory_order_relaxed));
}

static void free_table(struct table *table)
{
    for (size_t i = 0; i < table->size; i++) {
        struct link *link = atomic_load_explicit(&table->buckets[i], memory_order_relaxed);
        while (link) {
            struct link *next = atomic_load_explicit(&link->next, memory_order_relaxed);
            free(link);
            link = next;
        }
    }
    free(table);
}

static void free_one(struct cmap *map, struct limbo *limbo)
{
    if (limbo->kind == TABLE) {
        free_table((struct table *)limbo);
        return;
    }
    if (limbo->kind == ELEMENT) {
        struct element *element = (struct element *)limbo;
        map->type.release(element->key, element->value);
    }
    free(limbo);
}

static void retire(struct cmap *map, struct limbo *limbo)
{
    if (cmap_mistake == CMAP_FREES_UNDER_ITERATION)
        free_one(map, limbo);
    else
        push(map, limbo, limbo);
}

static void free_all(struct cmap *map, struct limbo *list)
{
    while (list) {
        struct limbo *next = list->next;
        free_one(map, list);
        list = next;
    }
}

void cmap_reclaim(struct cmap *map)
{
    struct limbo *list = atomic_exchange_explicit(&map->limbo, NULL, memory_order_acquire);
    if (!list)
        return;
    if (atomic_fetch_add_explicit(&map->inside, 0, memory_order_acq_rel) == 0) {
        free_all(map, list);
        return;
    }
    struct limbo *last = list;
    while (last->next)
        last = last->next;
    push(map, list, last);
}

static void enter(struct cmap *map)
{
    atomic_fetch_add_explicit(&map->inside, 1, memory_order_acq_rel);
}

static void leave(struct cmap *map)
{
    if (atomic_fetch_sub_explicit(&map->inside, 1, memory_order_acq_rel) == 1)
        cmap_reclaim(map);
}

/* Elements */

static bool is_gone(struct element *element)
{
    return atomic_load_explicit(&element->gone, memory_order_acquire);
}

/* Makes the caller the one who has removed the element; false if another one has. */
static bool claim(struct cmap *map, struct element *element)
{
    int seen = 0;
    while (!atomic_compare_exchange_weak_explicit(&element->gone, &seen, 1, memory_order_acq_rel,
                                                  memory_order_acquire)) {
        /* It may fail though the element is there. */
        if (seen || cmap_mistake == CMAP_WEAK_ONCE)
            return false;
    }
    atomic_fetch_sub_explicit(&map->count, 1, memory_order_relaxed);
    return true;
}

static struct link *_Atomic *bucket_of(struct table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->size - 1)];
}

/* The element of the key that is not gone. The caller is inside, or holds the stripe. */
static int find(struct cmap *map, struct table *table, const void *key, uint64_t hash, struct element **found)
{
    struct link *link = atomic_load_explicit(bucket_of(table, hash), memory_order_acquire);
    for (; link; link = atomic_load_explicit(&link->next, memory_order_acquire)) {
        struct element *element = link->element;
        if (element->hash != hash || is_gone(element))
            continue;
        int equal = map->type.equal(element->key, key);
        if (equal < 0)
            return CMAP_FAILED;
        if (equal && !is_gone(element)) {
            *found = element;
            return CMAP_DONE;
        }
    }
    return CMAP_ABSENT;
}

static pthread_mutex_t *stripe_of(struct cmap *map, uint64_t hash)
{
    return &map->stripes[hash & (STRIPES - 1)];
}

/* Takes an element out that the caller has claimed. */
static void take_out(struct cmap *map, struct element *element)
{
    pthread_mutex_t *stripe = stripe_of(map, element->hash);
    pthread_mutex_lock(stripe);
    struct table *table = atomic_load_explicit(&map->table, memory_order_relaxed);
    struct link *_Atomic *at = bucket_of(table, element->hash);
    struct link *link = atomic_load_explicit(at, memory_order_relaxed);
    while (link && link->element != element) {
        at = &link->next;
        link = atomic_load_explicit(at, memory_order_relaxed);
    }
    /* A table that was made since has no link to it. */
    if (link)
        atomic_store_explicit(at, atomic_load_explicit(&link->next, memory_order_relaxed), memory_order_release);
    pthread_mutex_unlock(stripe);
    if (link)
        retire(map, &link->limbo);
    retire(map, &element->limbo);
}

/* Tables */

static struct table *new_table(size_t size)
{
    struct table *table = calloc(1, sizeof *table + size * sizeof table->buckets[0]);
    if (table) {
        table->limbo.kind = TABLE;
        table->size = size;
    }
    return table;
}

static struct link *new_link(struct element *element)
{
    struct link *link = malloc(sizeof *link);
    if (!link && cmap_mistake != CMAP_TRUSTS_MALLOC)
        return NULL;
    link->limbo.kind = LINK;
    link->element = element;
    return link;
}

static void hang(struct table *table, struct link *link)
{
    struct link *_Atomic *bucket = bucket_of(table, link->element->hash);
    atomic_init(&link->next, atomic_load_explicit(bucket, memory_order_relaxed));
    atomic_store_explicit(bucket, link, memory_order_release);
}

/* Gives the new table a link to each element that is there; false if memory is short. The caller has all locks. */
static bool copy(struct table *from, struct table *to)
{
    for (size_t i = 0; i < from->size; i++) {
        struct link *link = atomic_load_explicit(&from->buckets[i], memory_order_relaxed);
        for (; link; link = atomic_load_explicit(&link->next, memory_order_relaxed)) {
            if (is_gone(link->element))
                continue;
            struct link *other = new_link(link->element);
            if (!other)
                return false;
            hang(to, other);
        }
    }
    return true;
}

/* Replaces the table. The caller has all locks. */
static int replace(struct cmap *map, size_t size)
{
    struct table *old = atomic_load_explicit(&map->table, memory_order_relaxed);
    if (old->size == size)
        return CMAP_DONE;
    struct table *table = new_table(size);
    if (!table)
        return CMAP_NO_MEMORY;
    if (!copy(old, table)) {
        free_table(table);
        return CMAP_NO_MEMORY;
    }
    atomic_store_explicit(&map->table, table, memory_order_release);
    retire(map, &old->limbo);
    return CMAP_DONE;
}

static void lock_all(struct cmap *map)
{
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_lock(&map->stripes[i]);
}

static void unlock_all(struct cmap *map)
{
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_unlock(&map->stripes[i]);
}

int cmap_resize(struct cmap *map, size_t elements)
{
    if (elements > SIZE_MAX / 64)
        return CMAP_NO_MEMORY;
    lock_all(map);
    size_t count = cmap_count(map), size = SMALLEST;
    while (size < elements || size < count)
        size *= 2;
    int result = replace(map, size);
    unlock_all(map);
    cmap_reclaim(map);
    return result;
}

/* Doubles the table if there are more elements than buckets. If memory is short, buckets have more than one each. */
static void grow(struct cmap *map)
{
    enter(map);
    size_t size = atomic_load_explicit(&map->table, memory_order_acquire)->size;
    leave(map);
    if (cmap_count(map) <= size)
        return;
    lock_all(map);
    struct table *table = atomic_load_explicit(&map->table, memory_order_relaxed);
    if (cmap_count(map) > table->size)
        replace(map, 2 * table->size);
    unlock_all(map);
    cmap_reclaim(map);
}

/* The map */

struct cmap *cmap_new(const struct cmap_type *type)
{
    struct cmap *map = calloc(1, sizeof *map);
    struct table *table = map ? new_table(SMALLEST) : NULL;
    if (!table) {
        free(map);
        return NULL;
    }
    map->type = *type;
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_init(&map->stripes[i], NULL);
    atomic_init(&map->table, table);
    return map;
}

void cmap_free(struct cmap *map)
{
    free_all(map, atomic_load_explicit(&map->limbo, memory_order_acquire));
    struct table *table = atomic_load_explicit(&map->table, memory_order_acquire);
    for (size_t i = 0; i < table->size; i++) {
        struct link *link = atomic_load_explicit(&table->buckets[i], memory_order_relaxed);
        for (; link; link = atomic_load_explicit(&link->next, memory_order_relaxed))
            free_one(map, &link->element->limbo);
    }
    free_table(table);
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&map->stripes[i]);
    free(map);
}

/* Hangs the element in, unless the key is there. */
static int hang_new(struct cmap *map, struct link *link)
{
    struct element *element = link->element, *found;
    pthread_mutex_t *stripe = stripe_of(map, element->hash);
    pthread_mutex_lock(stripe);
    struct table *table = atomic_load_explicit(&map->table, memory_order_relaxed);
    int result = find(map, table, element->key, element->hash, &found);
    if (result == CMAP_ABSENT) {
        atomic_fetch_add_explicit(&map->count, 1, memory_order_relaxed);
        hang(table, link);
    }
    pthread_mutex_unlock(stripe);
    return result == CMAP_ABSENT ? CMAP_DONE : result == CMAP_DONE ? CMAP_PRESENT : result;
}

int cmap_insert(struct cmap *map, void *key, void *value)
{
    uint64_t hash;
    if (map->type.hash(key, &hash) < 0)
        return CMAP_FAILED;
    struct element *element = malloc(sizeof *element);
    struct link *link = element ? new_link(element) : NULL;
    if (!link) {
        free(element);
        return CMAP_NO_MEMORY;
    }
    element->limbo.kind = ELEMENT;
    element->hash = hash;
    element->key = key;
    element->value = value;
    atomic_init(&element->gone, 0);
    int result = hang_new(map, link);
    if (result == CMAP_DONE) {
        grow(map);
        return result;
    }
    if (result == CMAP_PRESENT && cmap_mistake == CMAP_FREES_REFUSED)
        map->type.release(key, value);
    free(link);
    free(element);
    return result;
}

int cmap_remove(struct cmap *map, const void *key, cmap_visit *taken, void *context)
{
    uint64_t hash;
    if (map->type.hash(key, &hash) < 0)
        return CMAP_FAILED;
    enter(map);
    struct element *element;
    int result = find(map, atomic_load_explicit(&map->table, memory_order_acquire), key, hash, &element);
    if (result == CMAP_DONE && !claim(map, element))
        result = CMAP_ABSENT;
    if (result == CMAP_DONE) {
        taken(element->key, element->value, context);
        take_out(map, element);
    }
    leave(map);
    return result;
}

int cmap_get(struct cmap *map, const void *key, cmap_visit *read, void *context)
{
    uint64_t hash;
    if (map->type.hash(key, &hash) < 0)
        return CMAP_FAILED;
    enter(map);
    struct element *element;
    int result = find(map, atomic_load_explicit(&map->table, memory_order_acquire), key, hash, &element);
    if (result == CMAP_DONE)
        read(element->key, element->value, context);
    leave(map);
    return result;
}

/* Visits an element and removes it if the visitor says so. Returns what the visitor returned. */
static int visit_one(struct cmap *map, struct element *element, cmap_visit *visit, void *context)
{
    int said = visit(element->key, element->value, context);
    if (said & CMAP_ERASE && claim(map, element))
        take_out(map, element);
    else if (cmap_mistake == CMAP_FREES_VISITED_TWICE && is_gone(element))
        map->type.release(element->key, element->value);
    return said;
}

int cmap_each(struct cmap *map, cmap_visit *visit, void *context)
{
    enter(map);
    struct table *table = atomic_load_explicit(&map->table, memory_order_acquire);
    int said = 0;
    for (size_t i = 0; i < table->size && !(said & CMAP_STOP); i++) {
        struct link *link = atomic_load_explicit(&table->buckets[i], memory_order_acquire);
        for (; link && !(said & CMAP_STOP); link = atomic_load_explicit(&link->next, memory_order_acquire)) {
            if (!is_gone(link->element))
                said = visit_one(map, link->element, visit, context);
        }
    }
    leave(map);
    return CMAP_DONE;
}

size_t cmap_count(struct cmap *map)
{
    return atomic_load_explicit(&map->count, memory_order_relaxed);
}
