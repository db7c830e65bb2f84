import CGuard
import Glibc

/// A program that runs as our child, with our terminal, folder and environment. It keeps the loop
/// running until it has ended, and is killed by the kernel if we end before it, be it by `kill -9`.
///
/// Belongs to the loop's thread, which must be one that lasts: with it the program ends.
public final class ChildProcess {
  /// How it ended.
  public enum End: Hashable, Sendable {
    /// By itself, with this status.
    case exited(Int32)
    /// By a signal of this number.
    case signalled(Int32)
  }

  /// What becomes of its standard input, output and error.
  public enum Streams: Hashable, Sendable {
    /// They are ours: it speaks with the user.
    case ours
    /// It reads nothing, and nobody hears it.
    case none
  }

  /// Its process id.
  public let id: Int32
  /// Readable when it has ended.
  private let descriptor: Int32
  /// nil when it has ended.
  private var poll: SocketPoll?
  private let onEnd: (End) -> Void

  /// Starts it. `onEnd` is called by the loop, once.
  ///
  /// - Parameters:
  ///   - arguments: the program first: a path, or a name that is looked for in `PATH`. No NUL in any.
  public init(
    _ arguments: [[UInt8]], streams: Streams, on loop: EventLoop, onEnd: @escaping (End) -> Void
  ) throws(SystemError) {
    self.onEnd = onEnd
    (id, descriptor) = try Self.start(arguments, streams)
    // Both see to it that it stays until the program has ended.
    poll = SocketPoll(on: loop, socket: descriptor) { _ in self.ended() }
    precondition(poll != nil, "libuv refuses a descriptor of a process")
    poll?.watch(.readable)
  }

  private static func start(
    _ arguments: [[UInt8]], _ streams: Streams
  ) throws(SystemError) -> (id: Int32, descriptor: Int32) {
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { word in
      (word + [0]).withUnsafeBytes { strdup($0.bindMemory(to: CChar.self).baseAddress!) }
    }
    words.append(nil)
    defer { for word in words { free(word) } }
    var id: pid_t = 0
    let descriptor = cchild_start(&words, streams == .ours ? 1 : 0, &id)
    guard descriptor >= 0 else { throw SystemError("run", arguments.first ?? []) }
    return (id, descriptor)
  }

  /// Sends it a signal. Nothing happens when it has ended.
  public func send(signal: CInt) {
    if poll != nil { kill(id, signal) }
  }

  private func ended() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    close(descriptor)
    let status = cchild_end(id)
    onEnd(status < 0 ? .signalled(-status) : .exited(status))
  }
}
