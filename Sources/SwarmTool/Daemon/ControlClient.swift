import Glibc
import Metainfo
import SwarmNode
import Wire

/// Asks a daemon, by its control API (docs/api.md).
struct ControlClient {
  /// What came back.
  struct Answer {
    let status: Int
    /// null where there was none.
    let body: JSON
  }

  private let path: [UInt8]

  /// An answer has no more bytes: a list of a thousand files has 400 KB.
  private static let mostBytes = 16 << 20
  /// Seconds without a byte: closing a dataset puts on disk what came.
  private static let patience = 120

  /// Of the daemon whose sockets are in a folder.
  init(sockets: [UInt8]) { path = sockets.appending(name: Array("api.sock".utf8)) }

  func get(_ target: String) throws(Failure) -> JSON { try ask("GET", target) }

  func post(_ target: String, _ body: JSON) throws(Failure) -> JSON {
    try ask("POST", target, body)
  }

  func delete(_ target: String) throws(Failure) { _ = try ask("DELETE", target) }

  /// A name as a part of a path.
  static func escaped(_ name: [UInt8]) -> String {
    var text: [UInt8] = []
    PercentCoding.encode(name, into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// What is asked for. Throws what the daemon says of a request that it refuses.
  private func ask(_ method: String, _ target: String, _ body: JSON? = nil) throws(Failure) -> JSON
  {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    let bytes = body.map { Array($0.line.utf8) } ?? []
    if body != nil {
      head += "Content-Type: application/json\r\nContent-Length: \(bytes.count)\r\n"
    }
    let answer = try Self.answer(try exchange(Array((head + "\r\n").utf8) + bytes))
    guard (200..<300).contains(answer.status) else {
      let said = answer.body["detail"]?.text ?? answer.body["title"]?.text
      throw Failure(said ?? "the daemon answers with status \(answer.status)")
    }
    return answer.body
  }

  /// Where the system's service has its socket.
  private static let service = "/run/swarm"

  /// The system's service, where it runs and was not asked.
  private static func another(than path: [UInt8]) -> String {
    let socket = service + "/api.sock"
    guard path != Array(socket.utf8), access(socket, F_OK) == 0 else { return "" }
    return "; for the system's service add --sockets \(service)"
  }

  private func exchange(_ request: [UInt8]) throws(Failure) -> [UInt8] {
    do throws(SystemError) {
      return try LocalClient.exchange(
        request, at: path, limit: Self.mostBytes, patience: Self.patience)
    } catch {
      switch error.number {
      case ENOENT, ECONNREFUSED:
        throw Failure(
          "no daemon is running here (nobody listens at \(printable(path))); swarm daemon starts one"
            + Self.another(than: path))
      case EACCES where access(path.folder.map { CChar(bitPattern: $0) } + [0], X_OK) != 0:
        throw Failure(
          "cannot look into \(printable(path.folder)): Permission denied; if a daemon there is another "
            + "user's, run the command as that user")
      case EACCES, EPERM:
        throw Failure(
          "the daemon at \(printable(path)) is another user's: run the command as that user")
      case EAGAIN: throw Failure("the daemon at \(printable(path)) does not answer")
      default: throw Failure("\(error)")
      }
    }
  }

  /// Reads what came until the end of the connection. RFC 9112.
  static func answer(_ bytes: [UInt8]) throws(Failure) -> Answer {
    let strange = Failure("what listens there is not a swarm daemon: its answer is not HTTP")
    let gap = Array("\r\n\r\n".utf8)
    guard let end = bytes.firstRange(of: gap)?.lowerBound else { throw strange }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    let words = (lines.first ?? "").split(separator: " ")
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
      throw strange
    }
    let body = Array(bytes[(end + gap.count)...])
    if body.isEmpty { return Answer(status: status, body: .null) }
    do {
      return Answer(status: status, body: try JSONParser.parse(body, limit: mostBytes))
    } catch {
      throw Failure("the daemon's answer is not what was expected: \(error)")
    }
  }
}
