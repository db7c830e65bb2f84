#include "carguments.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static char **words;

// The C library hands the words to whatever runs before main, too; Swift has copies alone.
__attribute__((constructor)) static void remember(int count, char **all) {
  (void)count;
  words = all;
}

void carguments_hide_in(char *word, const char *name) {
  size_t length = strlen(name);
  for (char *place = word; *place != '\0'; place++) {
    if (strncasecmp(place, name, length) != 0) continue;
    char *value = place + length;
    if (*value == '.')
      do value++;
      while (*value >= '0' && *value <= '9');
    if (*value != '=') continue;
    for (value++; *value != '\0' && *value != '&'; value++) *value = '*';
    place = value - 1;
  }
}

void carguments_hide(const char *name) {
  if (words == NULL) return;
  for (char **word = words; *word != NULL; word++) carguments_hide_in(*word, name);
}
