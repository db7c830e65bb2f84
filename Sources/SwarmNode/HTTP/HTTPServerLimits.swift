/// Bounds on the server of HTTP, each with its reason.
enum HTTPServerLimits {
  /// Connections at once: a browser opens 6, a data frame library some dozens for one file.
  static let connections = 128
  /// Bytes that the library may use for a connection: request line and headers, then those of the answer.
  /// It takes memory for what comes, and refuses what is longer in words of its own; so this is more than
  /// a name that is too long, each byte escaped, may have by mistake.
  static let connectionBytes = 128 << 10
  /// Seconds without a byte either way after which a connection ends, unless we are the ones who are
  /// waited for. Clients keep connections for later for about as long.
  static let idleSeconds: UInt32 = 60
  /// Bytes in a request's body: what JSON may have.
  static let bodyBytes: UInt64 = 1 << 20
  /// Bytes of a body that are read and forgotten before a request is refused: some milliseconds.
  static let discardedBytes: UInt64 = 16 << 20
  /// Bytes that the library asks for at once of an answer that is streamed.
  static let streamBytes = 64 << 10

  /// Bytes of a file read at once for a client, and how many such reads are on their way or wait to be
  /// sent: a slow client makes us hold 1 MiB. The node reads ahead by itself what is not here.
  static let fileReadBytes: UInt64 = 256 << 10
  static let fileReads = 4

  /// Bytes of events that wait to be sent to one client: some thousand events. Who is slower is cut off.
  static let eventBytes = 256 << 10
  /// Clients of the event stream.
  static let eventClients = 32
  /// Milliseconds between two signs of life on an event stream: less than what proxies wait.
  static let heartbeatMilliseconds: UInt64 = 15_000
}
