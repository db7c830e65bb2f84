import Wire

/// Which requests are refused before anybody looks what they want.
///
/// The socket is guarded by its mode and by the user behind each connection. What these do not see is a
/// program of the same user that carries others' requests to the socket: a proxy, a forwarded port. Behind
/// it may be a browser, and every page that it shows may make it send requests: it does not let the page
/// read what comes back, but `DELETE` has happened by then. Browsers say so, in headers that a page cannot
/// change: `Origin` with all but plain reads, `Sec-Fetch-Site` with everything. Other programs send neither.
/// A page may also have its own name lead to this machine (DNS rebinding) and is then of the same site: so
/// the `Host` must be one that nobody can register.
enum RequestPolicy {
  static func refusal(of headers: HTTPHeaders) -> Problem? {
    guard headers.count(of: "host") <= 1 else { return Problem(400, "there are two Host headers") }
    guard let host = headers["host"] else { return Problem(400, "there is no Host header") }
    guard isLocal(host) else {
      return Problem(403, "the Host must be \"localhost\", or another name without a dot")
    }
    if headers["origin"] != nil {
      return Problem(403, "requests of web pages are refused: there is an Origin header")
    }
    if let site = headers["sec-fetch-site"], !site.elementsEqual("none".utf8) {
      return Problem(403, "requests of web pages are refused: Sec-Fetch-Site is not \"none\"")
    }
    if headers["transfer-encoding"] != nil {
      return Problem(411, "a body needs a Content-Length")
    }
    if let length = headers["content-length"] {
      guard length.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
        let count = UInt64(String(decoding: length, as: UTF8.self))
      else { return Problem(length.count > 19 ? 413 : 400, "the Content-Length is no number") }
      if count > HTTPServerLimits.bodyBytes {
        return Problem(413, "the body has more than \(HTTPServerLimits.bodyBytes) bytes")
      }
    }
    return nil
  }

  /// Whether it is an address of this machine, or a name that is nobody's: all that can be registered have
  /// a dot.
  private static func isLocal(_ host: [UInt8]) -> Bool {
    var name = String(decoding: host, as: UTF8.self).lowercased()[...]
    if let colon = name.lastIndex(of: ":"), name[name.index(after: colon)...].allSatisfy(\.isNumber)
    {
      if !name.hasSuffix("]") && name != "[::1]" { name = name[..<colon] }
    }
    if name == "[::1]" || name == "127.0.0.1" { return true }
    return !name.isEmpty && !name.contains(".") && !name.contains("[")
  }
}
