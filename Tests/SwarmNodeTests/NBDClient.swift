import CGuard
import Glibc

/// A client of a block device that does one thing after the other and waits. For a thread of its own.
struct NBDClient {
  struct Broken: Error {}

  let size: UInt64
  private let socket: Int32

  /// Connects, and chooses an export by `NBD_OPT_EXPORT_NAME`, with simple replies.
  init(path: String, export: String) throws {
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, length) }
    }
    guard status == 0 else { throw Broken() }
    let greeting = try Self.receive(18, socket)
    guard Array(greeting[..<8]) == Array("NBDMAGIC".utf8) else { throw Broken() }
    Self.send(Self.bytes(UInt32(3)), socket)
    Self.send(
      Array("IHAVEOPT".utf8) + Self.bytes(UInt32(1)) + Self.bytes(UInt32(export.utf8.count))
        + Array(export.utf8), socket)
    size = try Self.number(Self.receive(10, socket)[..<8])
    self.socket = socket
  }

  func close() { _ = Glibc.close(socket) }

  /// Runs `body` on a thread of its own: those of tasks may all be busy with other tests, for minutes.
  static func onThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Box(body)).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, argument)
    precondition(status == 0, "no thread")
    pthread_detach(thread)
  }

  /// The bytes, or the error's number.
  func read(_ offset: UInt64, _ count: Int) throws -> Result<[UInt8], NBDFault> {
    Self.send(
      Self.bytes(UInt32(0x2560_9513)) + Self.bytes(UInt32(0)) + Self.bytes(offset &* 7)
        + Self.bytes(offset) + Self.bytes(UInt32(count)), socket)
    let head = try Self.receive(16, socket)
    guard Self.number(head[..<4]) == 0x6744_6698, Self.number(head[8...]) == offset &* 7 else {
      throw Broken()
    }
    let error = Self.number(head[4..<8])
    return error == 0 ? .success(try Self.receive(count, socket)) : .failure(NBDFault(code: error))
  }

  private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func send(_ bytes: [UInt8], _ socket: Int32) {
    _ = bytes.withUnsafeBytes { write(socket, $0.baseAddress, $0.count) }
  }

  private static func receive(_ count: Int, _ socket: Int32) throws -> [UInt8] {
    var all: [UInt8] = []
    while all.count < count {
      var part = [UInt8](repeating: 0, count: count - all.count)
      let got = Glibc.read(socket, &part, part.count)
      guard got > 0 else { throw Broken() }
      all += part[..<got]
    }
    return all
  }
}

/// An error that the server answered.
struct NBDFault: Error, Equatable {
  let code: UInt64
}
