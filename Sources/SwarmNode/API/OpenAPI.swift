import Metainfo
import Wire

/// The OpenAPI 3.1 document, made of the table by which requests are dispatched.
enum OpenAPI {
  static func document(version: String) -> JSON {
    .object([
      ("openapi", .text("3.1.0")),
      (
        "info",
        .object([
          ("title", .text("SwarmNode control API")), ("version", .text(version)),
          (
            "description",
            .text(
              "A node of SwarmNode, for programs on the same machine: HTTP/1.1 on a Unix socket. Errors are problem documents (RFC 9457). GET is answered to HEAD, too."
            )
          ),
        ])
      ), ("servers", .list([.object([("url", .text("http://localhost"))])])),
      ("paths", paths), ("components", .object([("schemas", schemas)])),
    ])
  }

  private static var paths: JSON {
    var order: [String] = []
    var methods: [String: [(String, JSON)]] = [:]
    for route in ControlAPI.routes {
      if methods[route.path] == nil { order.append(route.path) }
      methods[route.path, default: []].append((route.method.lowercased(), operation(route)))
    }
    return .object(order.map { ($0, .object(methods[$0] ?? [])) })
  }

  private static func operation(_ route: Route) -> JSON {
    var members: [(String, JSON)] = [("summary", .text(route.summary))]
    let parameters =
      route.names.map { parameter($0, in: "path") } + route.query.map { parameter($0, in: "query") }
    if !parameters.isEmpty { members.append(("parameters", .list(parameters))) }
    if let body = route.body {
      members.append(
        (
          "requestBody",
          .object([
            ("required", .bool(true)), ("content", content([("application/json", body)])),
          ])
        ))
    }
    members.append(("responses", responses(route)))
    return .object(members)
  }

  private static func parameter(_ parameter: Route.Parameter, in place: String) -> JSON {
    .object([
      ("name", .text(parameter.name)), ("in", .text(place)), ("description", .text(parameter.note)),
      ("required", .bool(parameter.isRequired)), ("schema", parameter.schema.json),
    ])
  }

  private static func responses(_ route: Route) -> JSON {
    var statuses: [Int] = []
    for answer in route.answers where !statuses.contains(answer.status) {
      statuses.append(answer.status)
    }
    var members = statuses.map { status -> (String, JSON) in
      let answers = route.answers.filter { $0.status == status }
      var response: [(String, JSON)] = [("description", .text(answers[0].note))]
      let bodies = answers.compactMap { answer in answer.type.map { ($0, answer.schema) } }
      if !bodies.isEmpty { response.append(("content", content(bodies))) }
      return ("\(status)", .object(response))
    }
    members.append(
      (
        "default",
        .object([
          ("description", .text("what was wrong")),
          ("content", content([(Problem.mediaType, Shapes.problem)])),
        ])
      ))
    return .object(members)
  }

  private static func content(_ bodies: [(String, Schema?)]) -> JSON {
    .object(
      bodies.map { type, schema in (type, .object(schema.map { [("schema", $0.json)] } ?? [])) })
  }

  /// All schemas that are named anywhere, each once.
  private static var schemas: JSON {
    let requests = ControlAPI.routes.compactMap(\.body).flatMap(\.names)
    let answers = ControlAPI.routes.flatMap(\.answers).compactMap(\.schema).flatMap(\.names)
    var found: [(String, JSON)] = []
    for (isRequest, named) in [(true, requests), (false, answers + Shapes.problem.names)] {
      for (name, schema) in named where !found.contains(where: { $0.0 == name }) {
        found.append((name, isRequest ? schema.closed : schema.json))
      }
    }
    return .object(found.sorted { $0.0 < $1.0 })
  }
}
