#include "carguments.h"

#include <stddef.h>
#include <string.h>

static char **words;

// The C library hands the words to whatever runs before main, too; Swift has copies alone.
__attribute__((constructor)) static void remember(int count, char **all) {
  (void)count;
  words = all;
}

void carguments_hide(const char *mark) {
  if (words == NULL) return;
  for (char **word = words; *word != NULL; word++) {
    char *place = *word;
    while ((place = strstr(place, mark)) != NULL)
      for (place += strlen(mark); *place != '\0' && *place != '&'; place++) *place = '*';
  }
}
