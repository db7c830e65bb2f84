// First, so that what the system headers declare stays the C library's: else files that import it alone
// may not find it, depending on which files are compiled together.
#pragma clang module import SwiftGlibc
#include <microhttpd.h>

/// Starts a server without a thread and without a socket of its own, which tells by an epoll descriptor
/// when `MHD_run` has something to do: the library's function takes its options as varargs, which Swift
/// cannot pass. `options` end with `MHD_OPTION_END`. NULL where it cannot be.
static inline struct MHD_Daemon *cmhd_start(
    MHD_AccessHandlerCallback handler, void *context, struct MHD_OptionItem *options) {
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handler,
      context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/// The descriptor that can be read when `MHD_run` has something to do; -1 where there is none.
static inline int cmhd_epoll_descriptor(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
  return info == NULL ? -1 : info->epoll_fd;
}

/// What was given to a connection when it began (`MHD_OPTION_NOTIFY_CONNECTION`).
static inline void *cmhd_socket_context(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == NULL ? NULL : info->socket_context;
}
