import CUV
import Glibc

/// A program that runs as our child, with our terminal, folder and environment. It keeps the loop
/// running until it has ended.
///
/// Belongs to the loop's thread.
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
  private let handle: UnsafeMutablePointer<uv_process_t>
  private let onEnd: (End) -> Void
  private var hasEnded = false

  /// Starts it. `onEnd` is called by the loop, once.
  ///
  /// - Parameters:
  ///   - arguments: the program first: a path, or a name that is looked for in `PATH`. No NUL in any.
  public init(
    _ arguments: [[UInt8]], streams: Streams, on loop: EventLoop, onEnd: @escaping (End) -> Void
  ) throws(SystemError) {
    self.onEnd = onEnd
    handle = .allocate(capacity: 1)
    let status = Self.spawn(arguments, streams, on: loop, into: handle)
    guard status == 0 else {
      // libuv has begun to use the handle; the loop lets go of it in its own time.
      uv_close(uvHandle(handle)) { UnsafeMutableRawPointer($0)?.deallocate() }
      throw SystemError("run", arguments.first ?? [], -status)
    }
    id = handle.pointee.pid
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  private static func spawn(
    _ arguments: [[UInt8]], _ streams: Streams, on loop: EventLoop,
    into handle: UnsafeMutablePointer<uv_process_t>
  ) -> CInt {
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { word in
      (word + [0]).withUnsafeBytes { strdup($0.bindMemory(to: CChar.self).baseAddress!) }
    }
    words.append(nil)
    defer { for word in words { free(word) } }
    var containers = (STDIN_FILENO...STDERR_FILENO).map { descriptor in
      var container = uv_stdio_container_t()
      container.flags = streams == .ours ? UV_INHERIT_FD : UV_IGNORE
      container.data.fd = descriptor
      return container
    }
    return words.withUnsafeMutableBufferPointer { words in
      containers.withUnsafeMutableBufferPointer { containers in
        var options = uv_process_options_t()
        options.file = words[0].map { UnsafePointer($0) }
        options.args = words.baseAddress
        options.stdio = containers.baseAddress
        options.stdio_count = CInt(containers.count)
        options.exit_cb = { handle, status, signal in
          let child = Unmanaged<ChildProcess>.fromOpaque(handle!.pointee.data).takeUnretainedValue()
          child.ended(signal > 0 ? .signalled(signal) : .exited(Int32(truncatingIfNeeded: status)))
        }
        return uv_spawn(loop.raw, handle, &options)
      }
    }
  }

  /// Sends it a signal. Nothing happens when it has ended.
  public func send(signal: CInt) {
    if !hasEnded { uv_process_kill(handle, signal) }
  }

  private func ended(_ end: End) {
    hasEnded = true
    uv_close(uvHandle(handle)) { handle in
      let pointer = UnsafeMutableRawPointer(handle!).assumingMemoryBound(to: uv_process_t.self)
      Unmanaged<ChildProcess>.fromOpaque(pointer.pointee.data).release()
      pointer.deallocate()
    }
    onEnd(end)
  }
}
