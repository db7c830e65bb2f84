// The library's old names (SHA1 among them) would collide with libcrypto's.
#define NO_COMPAT_IMB_API_053 1
#include <intel-ipsec-mb.h>
