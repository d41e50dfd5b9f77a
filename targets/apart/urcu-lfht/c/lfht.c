/*
 * liburcu's lock-free hash table (`rculfhash`) with the functions that the adapter calls. Every operation registers its
 * thread and is a read-side section; what it removes is released after a grace period, when the thread's outermost
 * operation ends. Tables grow there too, since neither may be done within a section.
 */
#define _LGPL_SOURCE
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <urcu/urcu-memb.h>
#include <urcu/rculfhash.h>

struct type {
    int (*hash)(const void *key, uint64_t *hash);
    int (*equal)(const void *a, const void *b);
    void (*release)(void *key, void *value);
};

typedef int visitor(const void *key, void *value, void *context);

enum { STOP = 1, ERASE = 2 };
enum { DONE = 0, ABSENT = 1, REPLACED = 3, NO_MEMORY = -1, FAILED = -2 };
enum { SMALLEST = 4 };

struct entry {
    struct cds_lfht_node node;
    const struct type *type;
    void *key, *value;
    struct entry *next; /* in the list of what the thread is to release */
};

struct map {
    const struct type *type;
    struct cds_lfht *table;
    atomic_size_t count, size;
};

static __thread unsigned depth;
static __thread struct entry *removed;

static void enter(void)
{
    if (depth++ == 0) {
        urcu_memb_register_thread();
        urcu_memb_read_lock();
    }
}

static void remember(struct entry *entry)
{
    entry->next = removed;
    removed = entry;
}

static void release_all(struct entry *list)
{
    while (list) {
        struct entry *next = list->next;
        list->type->release(list->key, list->value);
        free(list);
        list = next;
    }
}

static void leave(struct map *map)
{
    if (--depth > 0)
        return;
    urcu_memb_read_unlock();
    size_t size = atomic_load(&map->size);
    if (atomic_load(&map->count) > size && atomic_compare_exchange_strong(&map->size, &size, 2 * size))
        cds_lfht_resize(map->table, 2 * size);
    struct entry *list = removed;
    removed = NULL;
    if (list)
        urcu_memb_synchronize_rcu();
    urcu_memb_unregister_thread();
    release_all(list);
}

static struct entry *entry_of(struct cds_lfht_node *node)
{
    return node ? caa_container_of(node, struct entry, node) : NULL;
}

static int match(struct cds_lfht_node *node, const void *key)
{
    struct entry *entry = entry_of(node);
    return entry->type->equal(entry->key, key) > 0;
}

struct map *lfht_new(const struct type *type)
{
    struct map *map = calloc(1, sizeof *map);
    if (!map)
        return NULL;
    map->type = type;
    atomic_init(&map->size, SMALLEST);
    map->table =
        _cds_lfht_new(SMALLEST, SMALLEST, 0, 0, &cds_lfht_mm_order, &urcu_memb_flavor, NULL);
    if (!map->table) {
        free(map);
        return NULL;
    }
    return map;
}

int lfht_insert(struct map *map, void *key, void *value, visitor *replaced, void *context)
{
    uint64_t hash;
    if (map->type->hash(key, &hash) < 0)
        return FAILED;
    struct entry *entry = malloc(sizeof *entry);
    if (!entry)
        return NO_MEMORY;
    *entry = (struct entry){ .type = map->type, .key = key, .value = value };
    cds_lfht_node_init(&entry->node);
    enter();
    struct entry *old = entry_of(cds_lfht_add_replace(map->table, hash, match, key, &entry->node));
    if (old) {
        replaced(old->key, old->value, context);
        remember(old);
    } else {
        atomic_fetch_add(&map->count, 1);
    }
    leave(map);
    return old ? REPLACED : DONE;
}

/* Removes the entry if nobody has. */
static int erase(struct map *map, struct entry *entry)
{
    if (cds_lfht_del(map->table, &entry->node))
        return ABSENT;
    atomic_fetch_sub(&map->count, 1);
    remember(entry);
    return DONE;
}

static struct entry *find(struct map *map, const void *key, uint64_t hash)
{
    struct cds_lfht_iter at;
    cds_lfht_lookup(map->table, hash, match, key, &at);
    return entry_of(cds_lfht_iter_get_node(&at));
}

int lfht_remove(struct map *map, const void *key, visitor *taken, void *context)
{
    uint64_t hash;
    if (map->type->hash(key, &hash) < 0)
        return FAILED;
    int result = ABSENT;
    enter();
    struct entry *entry;
    /* Who was faster may have put another in its place. */
    while (result && (entry = find(map, key, hash)))
        result = erase(map, entry);
    if (!result)
        taken(entry->key, entry->value, context);
    leave(map);
    return result;
}

int lfht_get(struct map *map, const void *key, visitor *read, void *context)
{
    uint64_t hash;
    if (map->type->hash(key, &hash) < 0)
        return FAILED;
    enter();
    struct entry *entry = find(map, key, hash);
    if (entry)
        read(entry->key, entry->value, context);
    leave(map);
    return entry ? DONE : ABSENT;
}

int lfht_each(struct map *map, visitor *visit, void *context)
{
    struct cds_lfht_iter at;
    struct cds_lfht_node *node;
    enter();
    cds_lfht_for_each(map->table, &at, node) {
        struct entry *entry = entry_of(node);
        int said = visit(entry->key, entry->value, context);
        if (said & ERASE)
            erase(map, entry);
        if (said & STOP)
            break;
    }
    leave(map);
    return DONE;
}

static int forget(const void *key, void *value, void *context)
{
    (void)key, (void)value, (void)context;
    return ERASE;
}

void lfht_free(struct map *map)
{
    lfht_each(map, forget, NULL);
    cds_lfht_destroy(map->table, NULL);
    free(map);
}
