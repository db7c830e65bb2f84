import Metainfo
import Wire

/// The node as a whole.
extension ControlAPI {
  static let nodeRoutes: [Route] = [
    Route(
      method: "GET", path: "/v1/node", summary: "How the node is doing",
      answers: [
        .init(status: 200, note: "the node", type: "application/json", schema: Shapes.node.schema)
      ],
      handle: { api, call throws(Problem) in call.answer(Shapes.node.json(api.service.nodeView)) }),
    Route(
      method: "GET", path: "/v1/events", summary: "What happens from now on, as server-sent events",
      answers: [
        .init(
          status: 200,
          note:
            "events of docs/json.md, each with the id of its dataset; who reads too slowly is cut off",
          type: "text/event-stream")
      ],
      handle: { api, call throws(Problem) in try api.listen(call) }),
    Route(
      method: "GET", path: "/v1/openapi.json", summary: "This document",
      answers: [
        .init(status: 200, note: "OpenAPI 3.1", type: "application/json", schema: .free("OpenAPI"))
      ],
      handle: { api, call throws(Problem) in
        call.answer(OpenAPI.document(version: api.service.nodeView.version))
      }),
    Route(
      method: "GET", path: "/metrics", summary: "Figures for Prometheus",
      answers: [
        .init(status: 200, note: "text format 0.0.4", type: Metrics.mediaType)
      ],
      handle: { api, call throws(Problem) in
        call.exchange.respond(
          HTTPResponse(
            200, [("Content-Type", "\(Metrics.mediaType); version=0.0.4; charset=utf-8")],
            .bytes(Array(Metrics.text(api.service, listeners: api.events.count).utf8))))
      }),
  ]

  private func listen(_ call: ControlCall) throws(Problem) {
    let headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")]
    if call.request.method == "HEAD" {
      return call.exchange.respond(HTTPResponse(200, headers))
    }
    guard let body = events.listen() else {
      throw Problem(503, "\(events.count) clients listen already", headers: [("Retry-After", "10")])
    }
    call.exchange.respond(HTTPResponse(200, headers, .endless(body)))
  }
}
