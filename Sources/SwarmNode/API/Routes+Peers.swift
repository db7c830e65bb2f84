import Metainfo
import Wire

/// Peers of a dataset.
extension ControlAPI {
  static let peerRoutes: [Route] = [
    Route(
      method: "GET", path: "/v1/datasets/{id}/peers", summary: "Connected peers", names: [id],
      answers: [
        .init(
          status: 200, note: "all of them", type: "application/json",
          schema: .object([.init("peers", .list(Shapes.peer.schema), "in no order")]))
      ],
      handle: { api, call throws(Problem) in
        let peers = api.service.peers(of: try api.dataset(call).id)
        call.answer(.object([("peers", .list(peers.map { Shapes.peer.json($0) }))]))
      }),
    Route(
      method: "POST", path: "/v1/datasets/{id}/peers", summary: "Try to connect to a peer",
      names: [id],
      body: .named(
        "AddPeer", .object([.init("address", .text(3...300, pattern: .peer), "HOST:PORT")])),
      answers: [.init(status: 202, note: "it is tried; whether it answers is seen in the list")],
      handle: { api, call throws(Problem) in
        let id = try api.dataset(call).id
        let peer = try peer(call.body["address"]?.text ?? "")
        try api.attempt { () throws(ControlFailure) in try api.service.add(peer: peer, to: id) }
        call.exchange.respond(HTTPResponse(202))
      }),
  ]
}
