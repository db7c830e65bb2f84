import CUV
import Glibc
import Metainfo
import Wire

/// Asks the system for the addresses of hosts. Stays on its loop's thread.
///
/// Not by `uv_getaddrinfo`: a name server that is silent would keep a loop from its end for half a minute,
/// since what has begun cannot be called off.
final class NameLookups {
  /// Why a name has no addresses, in the system's words.
  struct LookupError: Error, CustomStringConvertible {
    let description: String
  }

  typealias Completion = (Result<[IPAddress], LookupError>) -> Void

  private let loop: EventLoop
  private var waiting: [(name: HostName, completion: Completion)] = []
  private var running: [ObjectIdentifier: SideThread] = [:]
  private var isClosed = false

  init(on loop: EventLoop) { self.loop = loop }

  /// Calls `completion` on the loop, later. Keeps the loop running until then.
  func start(_ name: HostName, completion: @escaping Completion) {
    guard !isClosed else { return }
    waiting.append((name, completion))
    startNext()
  }

  /// Asks for nothing any more: nothing is completed from now on. The loop must run once more after it.
  func close() {
    isClosed = true
    waiting = []
    for thread in running.values { thread.close() }
    running = [:]
  }

  private func startNext() {
    guard running.count < NetLimits.nameLookups, !waiting.isEmpty else { return }
    let (name, completion) = waiting.removeFirst()
    let thread = SideThread(on: loop)
    running[ObjectIdentifier(thread)] = thread
    thread.perform({ Self.addresses(of: name.description) }) { [weak self, unowned thread] result in
      guard let self else { return thread.close() }
      running[ObjectIdentifier(thread)] = nil
      thread.close()
      completion(result)
      startNext()
    }
  }

  private static func addresses(of name: String) -> Result<[IPAddress], LookupError> {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(name, nil, &hints, &found)
    guard status == 0 else {
      return .failure(LookupError(description: String(cString: gai_strerror(status))))
    }
    defer { freeaddrinfo(found) }
    var addresses: [IPAddress] = []
    var entry = found
    while let next = entry {
      if let address = next.pointee.ai_addr.flatMap({ SocketAddress.endpoint(at: $0)?.address }) {
        if !addresses.contains(address) { addresses.append(address) }
      }
      entry = next.pointee.ai_next
    }
    return .success(addresses)
  }
}
