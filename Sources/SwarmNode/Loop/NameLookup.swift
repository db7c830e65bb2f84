import CUV
import Glibc
import Metainfo
import Wire

/// Asks the system for the addresses of a host.
enum NameLookup {
  private final class Request {
    let completion: (Result<[IPAddress], LookupError>) -> Void
    let hints: UnsafeMutablePointer<addrinfo>

    init(_ completion: @escaping (Result<[IPAddress], LookupError>) -> Void) {
      self.completion = completion
      hints = .allocate(capacity: 1)
      hints.initialize(to: addrinfo())
      hints.pointee.ai_family = AF_UNSPEC
      hints.pointee.ai_socktype = Int32(SOCK_STREAM.rawValue)
    }

    deinit { hints.deallocate() }
  }

  /// Why a name has no addresses, in the system's words.
  struct LookupError: Error, CustomStringConvertible {
    let description: String
  }

  /// Calls `completion` on the loop, later. Keeps the loop running until then.
  static func start(
    _ name: HostName, on loop: EventLoop,
    completion: @escaping (Result<[IPAddress], LookupError>) -> Void
  ) {
    let request = Request(completion)
    let handle = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
    handle.pointee.data = Unmanaged.passRetained(request).toOpaque()
    let status = uv_getaddrinfo(
      loop.raw, handle,
      { handle, status, found in
        let request = Unmanaged<Request>.fromOpaque(handle!.pointee.data).takeRetainedValue()
        handle!.deallocate()
        defer { uv_freeaddrinfo(found) }
        request.completion(NameLookup.result(status, found))
      }, name.description, nil, request.hints)
    if status != 0 {
      // libuv has not taken the request, and refuses only names that no host has.
      Unmanaged<Request>.fromOpaque(handle.pointee.data).release()
      handle.deallocate()
      loop.perform({ status }) { completion(result($0, nil)) }
    }
  }

  private static func result(
    _ status: Int32, _ found: UnsafeMutablePointer<addrinfo>?
  ) -> Result<[IPAddress], LookupError> {
    guard status == 0 else {
      return .failure(LookupError(description: String(cString: uv_strerror(status))))
    }
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
