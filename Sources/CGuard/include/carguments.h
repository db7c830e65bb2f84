/// The words that the program was started with, which other users of the machine can read.
#pragma once

/// Overwrites, in every word, what stands behind `mark` up to the next '&' or the word's end with '*'. Who
/// looked before has seen it.
void carguments_hide(const char *mark);
