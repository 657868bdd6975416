/* External delegates of TFLite for the tests; one of the names below is defined at compilation:
   HONEST computes the last layer by the runtime's own kernel, WRONG leaves its output as it is,
   IDLE takes nothing, ABORTS ends the process, BARREN finds no hardware, NAMELESS is no delegate. */
#include <stdint.h>
#include <stdlib.h>

/* What a delegate needs of tensorflow/lite/core/c/common.h. */
typedef struct { int size; int data[]; } Ints;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct { Ints *inputs, *outputs, *intermediates, *temporaries; void *user_data; } Node;
typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *external, *async_kernel;
  uint64_t inplace;
} Registration;
struct Context {
  size_t tensors_size;
  int (*get_plan)(Context *, Ints **);
  void *tensors, *impl, *resize, *report, *add_tensors;
  int (*get_node)(Context *, int, Node **, Registration **);
  int (*replace)(Context *, Registration, const Ints *, Delegate *);
};
struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void *builder;
};
enum { FULLY_CONNECTED = 9 };

static Node *taken;
static Registration original;
static Delegate delegate;

static void *kernel_init(Context *context, const char *buffer, size_t length) { return NULL; }
static void kernel_free(Context *context, void *data) {}
static int kernel_prepare(Context *context, Node *node) { return 0; }

static int kernel_invoke(Context *context, Node *node) {
#ifdef WRONG
  return 0;
#else
  return original.invoke(context, taken);
#endif
}

static int prepare(Context *context, Delegate *self) {
#ifdef ABORTS
  abort();
#elif defined(IDLE)
  return 0;
#endif
  Ints *plan, *one = malloc(2 * sizeof(int));
  if (context->get_plan(context, &plan)) return 1;
  for (int i = 0; i < plan->size; i++) {
    Registration *found;
    if (context->get_node(context, plan->data[i], &taken, &found)) return 1;
    if (found->builtin_code != FULLY_CONNECTED) continue;
    original = *found;
    one->size = 1;
    one->data[0] = plan->data[i];
    Registration own = {kernel_init, kernel_free, kernel_prepare, kernel_invoke, NULL, 0, "Test", 1};
    return context->replace(context, own, one, self);
  }
  return 1;
}

#ifndef NAMELESS
Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report)(const char *)) {
#ifdef BARREN
  report(count ? values[0] : "no accelerator found");
  return NULL;
#endif
  delegate = (Delegate){.prepare = prepare};
  return &delegate;
}

void tflite_plugin_destroy_delegate(Delegate *self) {}
#endif
