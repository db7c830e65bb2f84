import Wire

/// One method of one resource: what it takes, what it answers, and who does it. The table of these is what
/// requests are dispatched by and what the OpenAPI document is made of.
struct Route: Sendable {
  /// A part of a path.
  enum Part: Hashable, Sendable {
    case name(String)
    /// One name that the client chooses.
    case parameter(String)
    /// All names that follow, one at least.
    case rest(String)
  }

  /// Something in the path or the query.
  struct Parameter: Sendable {
    let name: String
    let schema: Schema
    let note: String
    var isRequired = false
  }

  /// What a request may be answered with when all is well.
  struct Answer: Sendable {
    let status: Int
    let note: String
    /// nil where there is no body.
    var type: String?
    /// nil where the body is no JSON.
    var schema: Schema?
  }

  /// "GET", which `HEAD` is answered by too, "POST" or "DELETE".
  let method: String
  /// As in "/v1/datasets/{id}".
  let path: String
  let summary: String
  /// In the path, in its order.
  var names: [Parameter] = []
  var query: [Parameter] = []
  /// The JSON that must be sent; nil where nothing is.
  var body: Schema?
  let answers: [Answer]
  let handle: @Sendable (ControlAPI, ControlCall) throws(Problem) -> Void

  /// The path in its parts.
  var parts: [Part] {
    path.split(separator: "/").map { part in
      guard part.hasPrefix("{") else { return .name(String(part)) }
      let name = String(part.dropFirst().dropLast())
      return isRest(name) ? .rest(name) : .parameter(name)
    }
  }

  /// Whether the last parameter takes slashes.
  private func isRest(_ name: String) -> Bool { name == "path" || name == "name" }

  /// The values of the path's parameters; nil where the path is of another resource.
  func match(_ names: [[UInt8]]) -> [String: [[UInt8]]]? {
    var found: [String: [[UInt8]]] = [:]
    var rest = names[...]
    for part in parts {
      guard let name = rest.first else { return nil }
      switch part {
      case .name(let wanted):
        guard name.elementsEqual(wanted.utf8) else { return nil }
        rest.removeFirst()
      case .parameter(let parameter):
        found[parameter] = [name]
        rest.removeFirst()
      case .rest(let parameter):
        found[parameter] = Array(rest)
        rest = []
      }
    }
    return rest.isEmpty ? found : nil
  }

  /// Media types of the bodies that it answers with.
  var types: [String] { answers.compactMap(\.type) }
}

/// A request that fits a route.
struct ControlCall {
  let exchange: HTTPExchange
  let request: HTTPRequest
  let route: Route
  /// The path as it came, for people.
  let instance: String
  /// Of the path; names of a rest apart.
  let names: [String: [[UInt8]]]
  /// Of the query, checked against the route's schemas.
  let query: [String: JSON]
  /// The body, checked against the route's schema; null where there is none.
  let body: JSON

  /// A problem of this request.
  func problem(_ status: Int, _ detail: String) -> Problem {
    Problem(status, detail, instance: instance)
  }

  /// Answers with JSON.
  func answer(_ json: JSON, status: Int = 200, _ headers: [(String, String)] = []) {
    exchange.respond(
      HTTPResponse(
        status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")] + headers,
        .bytes(Array((json.rendered + "\n").utf8))))
  }

  /// Answers with a problem.
  func fail(_ problem: Problem) {
    var problem = problem
    if problem.instance == nil { problem.instance = instance }
    exchange.respond(problem.response)
  }

  /// Answers with why the node could not.
  func fail(_ failure: ControlFailure) { fail(Problem(failure)) }

  /// Whether bodies of a type may be answered.
  func accepts(_ type: String) -> Bool { MediaType.accepts(request.headers["accept"], type) }

  /// A number of the query.
  func number(_ name: String) -> UInt64? { query[name]?.number }
}

extension Problem {
  /// Why the node could not do something.
  init(_ failure: ControlFailure) {
    switch failure {
    case .notFound(let detail): self.init(404, detail)
    case .conflict(let detail): self.init(409, detail)
    case .invalid(let detail): self.init(422, detail)
    case .unavailable(let detail): self.init(503, detail, headers: [("Retry-After", "1")])
    case .timeout(let detail): self.init(504, detail)
    case .system(let detail): self.init(500, detail)
    }
  }
}
