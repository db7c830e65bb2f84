/// Runs C code over a memory-mapped file of which pages may vanish.
///
/// When another process truncates a mapped file, touching the lost pages raises SIGBUS. Inside
/// `cguard_run` that ends the function early instead of the process.
#pragma once

#include <stdbool.h>

#include "carguments.h"

/// Installs the process-wide SIGBUS handler. Call once, before threads start. Returns false when
/// the system refuses. A SIGBUS outside `cguard_run` still ends the process.
bool cguard_install(void);

/// Calls `function(argument)` on this thread. False when a SIGBUS cut it short; whatever the
/// function was writing is then in an unknown state and must be thrown away. `function` must be
/// plain C without locks or allocations, since its frames are abandoned.
bool cguard_run(void (*function)(void *), void *argument);
