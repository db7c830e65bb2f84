import Wire

/// Why a request was not answered as asked. RFC 9457.
struct Problem: Error {
  let status: Int
  /// For people: what was wrong with this request.
  let detail: String
  /// The path that was asked for, where there was one.
  var instance: String?
  /// Headers that the status asks for.
  var headers: [(String, String)] = []

  static let mediaType = "application/problem+json"

  init(_ status: Int, _ detail: String, instance: String? = nil, headers: [(String, String)] = []) {
    self.status = status
    self.detail = detail
    self.instance = instance
    self.headers = headers
  }

  /// The document. Its `type` is the one that means no more than the status does (section 4.2.1).
  var json: JSON {
    .object([
      ("type", .text("about:blank")), ("title", .text(Self.title(of: status))),
      ("status", .number(UInt64(status))), ("detail", .text(detail)),
      ("instance", .text(orNull: instance)),
    ])
  }

  var response: HTTPResponse {
    HTTPResponse(
      status, [("Content-Type", Self.mediaType), ("Cache-Control", "no-store")] + headers,
      .bytes(Array((json.rendered + "\n").utf8)))
  }

  /// The words that RFC 9110, section 15, has for a status.
  static func title(of status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 206: "Partial Content"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 409: "Conflict"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 416: "Range Not Satisfiable"
    case 422: "Unprocessable Content"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    default: "Internal Server Error"
    }
  }
}
