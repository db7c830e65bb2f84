import Metainfo
import Wire

/// Answers requests of programs on the same machine (docs/api.md). Belongs to the loop's thread.
final class ControlAPI {
  /// Who knows and does it. Lives as long as this does.
  unowned let service: any ControlService
  let events: EventStream

  init(_ service: any ControlService, events: EventStream) {
    self.service = service
    self.events = events
  }

  /// All there is. A path stands before those that it is a special case of.
  static let routes: [Route] =
    nodeRoutes + datasetRoutes + fileRoutes + peerRoutes + exportRoutes + traceRoutes

  /// Answers a request, at once or later.
  func handle(_ exchange: HTTPExchange, _ request: HTTPRequest) {
    let instance = Self.path(of: request.target)
    do throws(Problem) {
      let (route, names) = try Self.route(request, instance)
      let call = ControlCall(
        exchange: exchange, request: request, route: route, instance: instance, names: names,
        query: try Self.query(of: request, route), body: try Self.body(of: request, route))
      try route.handle(self, call)
    } catch {
      var problem = error
      if problem.instance == nil { problem.instance = instance }
      exchange.respond(problem.response)
    }
  }

  // MARK: What every request must be

  private static func route(
    _ request: HTTPRequest, _ instance: String
  ) throws(Problem) -> (Route, [String: [[UInt8]]]) {
    let fitting = routes.compactMap { route in
      route.match(request.target.path).map { (route, $0) }
    }
    guard let first = fitting.first else { throw Problem(404, "there is nothing at this path") }
    // Of the most special path only: a file may be called as a resource is.
    let candidates = fitting.filter { $0.0.path == first.0.path }
    let method = request.method == "HEAD" ? "GET" : request.method
    guard let (route, names) = candidates.first(where: { $0.0.method == method }) else {
      let methods = candidates.flatMap { $0.0.method == "GET" ? ["GET", "HEAD"] : [$0.0.method] }
      let allowed = methods.joined(separator: ", ")
      throw Problem(405, "only \(allowed) can be asked of this", headers: [("Allow", allowed)])
    }
    for parameter in route.names {
      guard let values = names[parameter.name] else { continue }
      let text = values.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
      // Files have names of all bytes, which are looked at where they are looked up.
      if case .rest? = route.parts.last, parameter.name == route.names.last?.name { continue }
      var fault = parameter.schema.fault(of: .text(text), at: parameter.name)
      if case .number = parameter.schema {
        fault = parameter.schema.fault(of: value(text, parameter.schema), at: parameter.name)
      }
      if let fault { throw Problem(404, "there is nothing at this path: \(fault)") }
    }
    let types = route.types + [Problem.mediaType]
    guard
      types.contains(where: { MediaType.accepts(request.headers["accept"], $0) })
        || route.types.isEmpty
    else {
      throw Problem(406, "this is \(route.types.joined(separator: " or ")), which Accept excludes")
    }
    return (route, names)
  }

  private static func query(of request: HTTPRequest, _ route: Route) throws(Problem) -> [String:
    JSON]
  {
    var found: [String: JSON] = [:]
    for parameter in request.target.query {
      let name = String(decoding: parameter.name, as: UTF8.self)
      guard let known = route.query.first(where: { $0.name == name }) else {
        throw Problem(
          400, "the query has a parameter \"\(printable(parameter.name))\", which there is not")
      }
      guard found[name] == nil else {
        throw Problem(400, "the parameter \"\(name)\" is given twice")
      }
      guard let text = String(validating: parameter.value, as: UTF8.self) else {
        throw Problem(400, "the parameter \"\(name)\" is not UTF-8")
      }
      let value = value(text, known.schema)
      if let fault = known.schema.fault(of: value, at: name) { throw Problem(400, fault) }
      found[name] = value
    }
    for parameter in route.query where parameter.isRequired && found[parameter.name] == nil {
      throw Problem(400, "the parameter \"\(parameter.name)\" is missing")
    }
    return found
  }

  /// What a text stands for in a path or query: a number where one is wanted and it is one.
  private static func value(_ text: String, _ schema: Schema) -> JSON {
    guard case .number = schema, let number = UInt64(text), String(number) == text else {
      return .text(text)
    }
    return .number(number)
  }

  private static func body(of request: HTTPRequest, _ route: Route) throws(Problem) -> JSON {
    guard let schema = route.body else {
      guard request.body.isEmpty else { throw Problem(400, "a request of this kind has no body") }
      return .null
    }
    guard request.headers["content-length"] != nil else {
      throw Problem(411, "a body is needed, with its Content-Length")
    }
    guard MediaType.isContent(request.headers["content-type"], "application/json") else {
      throw Problem(415, "the body must be application/json")
    }
    let json: JSON
    do { json = try JSONParser.parse(request.body) } catch {
      throw Problem(400, "the body is not JSON: \(error)")
    }
    if let fault = schema.fault(of: json) { throw Problem(422, fault) }
    return json
  }

  /// The path of a request, escaped again.
  private static func path(of target: RequestTarget) -> String {
    var text: [UInt8] = []
    for name in target.path {
      text.append(UInt8(ascii: "/"))
      PercentCoding.encode(name, into: &text)
    }
    return text.isEmpty ? "/" : String(decoding: text, as: UTF8.self)
  }

  // MARK: Datasets by their ids

  /// Digits below which an id is not looked for: with 8, two of a thousand datasets would begin alike in
  /// one of 8,000 nodes.
  static let shortestID = 8

  static let idSchema = Schema.text(shortestID...64, pattern: .digits(shortestID...64))

  static let id = Route.Parameter(
    name: "id", schema: idSchema,
    note: "a dataset's id, or enough digits of its beginning that no other dataset has",
    isRequired: true)

  /// Of what cannot be taken back. Fewer digits are answered with the whole id, so that they are let through.
  static let wholeID = Route.Parameter(
    name: "id", schema: idSchema, note: "a dataset's whole id", isRequired: true)

  /// The dataset that a path names.
  ///
  /// - Parameter isWhole: whether the beginning of an id is too little: what cannot be taken back is done to
  ///   what was named in full.
  func dataset(_ call: ControlCall, isWhole: Bool = false) throws(Problem) -> DatasetView {
    try dataset(
      call.names["id"]?.first.map { String(decoding: $0, as: UTF8.self) } ?? "", isWhole: isWhole)
  }

  func dataset(_ id: String, isWhole: Bool = false) throws(Problem) -> DatasetView {
    let all = service.datasets
    if let exact = all.first(where: { $0.id == id }) { return exact }
    let found = all.filter { $0.id.hasPrefix(id) }
    guard let only = found.first else { throw Problem(404, "there is no dataset \(id)") }
    guard found.count == 1 else {
      throw Problem(409, "\(found.count) datasets begin with \(id): more digits are needed")
    }
    if isWhole { throw Problem(409, "this needs the whole id, which is \(only.id)") }
    return only
  }

  /// Carries out what the node may refuse.
  func attempt<Value>(_ work: () throws(ControlFailure) -> Value) throws(Problem) -> Value {
    do throws(ControlFailure) { return try work() } catch { throw Problem(error) }
  }
}
