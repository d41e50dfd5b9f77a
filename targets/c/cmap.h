/*
 * A concurrent hash map in C11: writers take striped locks, readers and iterations take none.
 *
 * The map owns what is inserted and gives it back to `release`, once nobody can look at it any more. Until then every
 * key and value that a callback is given stays valid while the callback runs, whatever it, or another thread, removes
 * meanwhile: the map may be changed from within a visit, and the element that is visited may be removed.
 *
 * Callbacks are C: they return, and never jump or unwind across the map. `hash`, `equal` and `visit` can tell that they
 * have failed; the operation then ends as soon as it can. `hash` and `equal` must not call the map.
 */
#ifndef CMAP_H
#define CMAP_H

#include <stddef.h>
#include <stdint.h>

struct cmap;

/* What to do with elements. */
struct cmap_type {
    /* Writes the key's hash; 0, or negative if it failed. */
    int (*hash)(const void *key, uint64_t *hash);
    /* 1 if the keys are equal, 0 if not, negative if it failed. */
    int (*equal)(const void *a, const void *b);
    /* Frees an element that the map has owned. */
    void (*release)(void *key, void *value);
};

/* What a visit returns: 0, or some of these. */
enum {
    CMAP_STOP = 1,  /* visit no more */
    CMAP_ERASE = 2, /* remove the element just visited */
};

typedef int cmap_visit(const void *key, void *value, void *context);

enum {
    CMAP_DONE = 0,
    CMAP_ABSENT = 1,   /* there is no such key */
    CMAP_PRESENT = 2,  /* the key is there already: the caller keeps the element */
    CMAP_NO_MEMORY = -1, /* the map is as it was: the caller keeps the element */
    CMAP_FAILED = -2,    /* a callback has failed; the same */
};

/* An empty map; NULL if memory is short. */
struct cmap *cmap_new(const struct cmap_type *type);
/* Releases all elements. Nobody else may use the map any more. */
void cmap_free(struct cmap *map);

/* Takes the element, unless the key is there already. */
int cmap_insert(struct cmap *map, void *key, void *value);
/* Removes the key and shows its element to `taken`, whose result is ignored. */
int cmap_remove(struct cmap *map, const void *key, cmap_visit *taken, void *context);
/* Shows the element of the key. */
int cmap_get(struct cmap *map, const void *key, cmap_visit *read, void *context);
/*
 * Visits elements: each that stays in the map all the time once, others once or not at all.
 */
int cmap_each(struct cmap *map, cmap_visit *visit, void *context);

/* How many elements there are, or were a moment ago. */
size_t cmap_count(struct cmap *map);
/* Makes the table large enough for so many elements, or smaller if that is enough. */
int cmap_resize(struct cmap *map, size_t elements);
/* Releases what was removed, unless somebody may still look at it. */
void cmap_reclaim(struct cmap *map);

/* Which deliberate mistake the map makes, to measure what finds it; 0 for none. */
enum {
    CMAP_FREES_UNDER_ITERATION = 1, /* a removed element is freed at once */
    CMAP_FREES_VISITED_TWICE,       /* an iteration frees the element that its visitor has removed */
    CMAP_FREES_REFUSED,             /* an element that is refused is freed, though the caller keeps it */
    CMAP_WEAK_ONCE,                 /* a compare-exchange that may fail for nothing is tried once */
    CMAP_TRUSTS_MALLOC,             /* growth does not look at what malloc returns */
};
extern int cmap_mistake;

#endif
