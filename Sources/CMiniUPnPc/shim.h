// First, so that what the system headers declare stays the C library's: else files that import it alone
// may not find it, depending on which files are compiled together.
#pragma clang module import SwiftGlibc
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
