import Metainfo
import Testing
import Wire

/// Messages and their bytes, read and written from the same table. Those of BEP 5 are the examples of
/// its text; the others were written by hand from the texts that they name.
@Suite struct KRPCVectorTests {
  struct Vector: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let message: KRPCMessage

    var testDescription: String { name }

    init(_ name: String, _ text: String, _ message: KRPCMessage) {
      self.name = name
      bytes = Array(text.utf8)
      self.message = message
    }
  }

  static func id(_ text: String) -> NodeID { NodeID(Array(text.utf8))! }
  static let asker = id("abcdefghij0123456789")
  static let other = id("mnopqrstuvwxyz123456")

  static func query(_ method: KRPCMethod, isReadOnly: Bool = false) -> KRPCMessage {
    KRPCMessage(
      transaction: Array("aa".utf8),
      body: .query(KRPCQuery(id: asker, isReadOnly: isReadOnly, method: method)))
  }

  static func response(
    _ id: NodeID, requester: PeerEndpoint? = nil, _ fill: (inout KRPCResponse) -> Void = { _ in }
  ) -> KRPCMessage {
    var response = KRPCResponse(id: id)
    fill(&response)
    return KRPCMessage(
      transaction: Array("aa".utf8), requester: requester, body: .response(response))
  }

  static func endpoint(_ text: String) -> PeerEndpoint {
    PeerEndpoint(compact: Array(text.utf8))!
  }

  static let key = DatasetKey(Array("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk".utf8))!
  static let signature = Signature(Array(String(repeating: "s", count: 64).utf8))!
  static let filter = ScrapeFilter(Array(String(repeating: "f", count: 256).utf8))!

  static let table = [
    // BEP 5, "DHT Queries" and "Errors".
    Vector(
      "generic error", "d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
      KRPCMessage(
        transaction: Array("aa".utf8), body: .error(KRPCError(.generic, "A Generic Error Ocurred")))
    ),
    Vector(
      "ping", "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", query(.ping)),
    Vector("pong", "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re", response(other)),
    Vector(
      "find_node",
      "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
      query(.findNode(target: other, want: []))),
    Vector(
      "get_peers",
      "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
      query(.getPeers(.init(infohash: other)))),
    Vector(
      "peers",
      "d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
      response(asker) {
        $0.token = Array("aoeusnth".utf8)
        $0.peers = [endpoint("axje.u"), endpoint("idhtnm")]
      }),
    Vector(
      "announce_peer, implied port",
      "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456"
        + "4:porti0e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
      query(.announcePeer(.init(infohash: other, port: nil, token: Array("aoeusnth".utf8))))),
    Vector(
      "announce_peer of a seed, BEP 33",
      "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456"
        + "4:porti6881e4:seedi1e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
      query(
        .announcePeer(
          .init(infohash: other, port: 6881, isSeed: true, token: Array("aoeusnth".utf8))))),
    // BEP 32.
    Vector(
      "find_node with want",
      "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee"
        + "1:q9:find_node1:t2:aa1:y1:qe",
      query(.findNode(target: other, want: [.v4, .v6]))),
    Vector(
      "nodes of both families",
      "d1:rd2:id20:abcdefghij01234567895:nodes26:mnopqrstuvwxyz123456axje.u"
        + "6:nodes638:abcdefghij0123456789ABCDEFGHIJKLMNOPide1:t2:aa1:y1:re",
      response(asker) {
        $0.nodes = [NodeContact(id: other, endpoint: endpoint("axje.u"))]
        $0.nodes6 = [NodeContact(id: asker, endpoint: endpoint("ABCDEFGHIJKLMNOPid"))]
      }),
    Vector(
      "peers of both families",
      "d1:rd2:id20:abcdefghij01234567896:valuesl6:axje.u18:ABCDEFGHIJKLMNOPidee1:t2:aa1:y1:re",
      response(asker) { $0.peers = [endpoint("axje.u"), endpoint("ABCDEFGHIJKLMNOPid")] }),
    // BEP 33.
    Vector(
      "scrape",
      "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234566:noseedi1e6:scrapei1ee"
        + "1:q9:get_peers1:t2:aa1:y1:qe",
      query(.getPeers(.init(infohash: other, noSeeds: true, scrape: true)))),
    Vector(
      "filters",
      "d1:rd4:BFpe256:" + String(repeating: "f", count: 256) + "4:BFsd256:"
        + String(repeating: "f", count: 256) + "2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
      response(asker) {
        $0.seedFilter = filter
        $0.peerFilter = filter
      }),
    // BEP 42, BEP 43.
    Vector(
      "address of the asker", "d2:ip6:axje.u1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
      response(other, requester: endpoint("axje.u"))),
    Vector(
      "read-only", "d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:y1:qe",
      query(.ping, isReadOnly: true)),
    // BEP 44.
    Vector(
      "get",
      "d1:ad2:id20:abcdefghij01234567893:seqi7e6:target20:mnopqrstuvwxyz123456e"
        + "1:q3:get1:t2:aa1:y1:qe",
      query(.get(target: other, newerThan: 7, want: []))),
    Vector(
      "put, immutable",
      "d1:ad2:id20:abcdefghij01234567895:token8:aoeusnth1:v12:Hello World!e1:q3:put1:t2:aa1:y1:qe",
      query(.put(.init(token: Array("aoeusnth".utf8), value: Array("12:Hello World!".utf8))))),
    Vector(
      "put, mutable",
      "d1:ad3:casi3e2:id20:abcdefghij01234567891:k32:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk4:salt6:foobar"
        + "3:seqi4e3:sig64:" + String(repeating: "s", count: 64)
        + "5:token8:aoeusnth1:vd1:ali1eeee1:q3:put1:t2:aa1:y1:qe",
      query(
        .put(
          .init(
            token: Array("aoeusnth".utf8), value: Array("d1:ali1eee".utf8),
            owner: .init(
              key: key, salt: Array("foobar".utf8), sequence: 4, signature: signature, expected: 3))
        ))
    ),
    Vector(
      "value, mutable",
      "d1:rd2:id20:abcdefghij01234567891:k32:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk5:nodes0:3:seqi4e3:sig64:"
        + String(repeating: "s", count: 64) + "5:token8:aoeusnth1:vi-5ee1:t2:aa1:y1:re",
      response(asker) {
        $0.key = key
        $0.nodes = []
        $0.sequence = 4
        $0.signature = signature
        $0.token = Array("aoeusnth".utf8)
        $0.value = Array("i-5e".utf8)
      }),
    // BEP 51.
    Vector(
      "sample_infohashes",
      "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q17:sample_infohashes"
        + "1:t2:aa1:y1:qe",
      query(.sampleInfohashes(target: other, want: []))),
    Vector(
      "samples",
      "d1:rd2:id20:abcdefghij01234567897:samples40:mnopqrstuvwxyz123456abcdefghij0123456789e"
        + "1:t2:aa1:y1:re",
      response(asker) { $0.samples = [other, asker] }),
    // BEP 20, and methods that we do not know.
    Vector(
      "program", "d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:v4:LT\u{1}\u{2}1:y1:qe",
      KRPCMessage(
        transaction: Array("aa".utf8), version: Array("LT\u{1}\u{2}".utf8),
        body: .query(KRPCQuery(id: asker, method: .unknown(name: Array("vote".utf8)))))),
  ]

  @Test(arguments: table)
  func bytesAreRead(_ vector: Vector) throws {
    #expect(try KRPCMessage(vector.bytes) == vector.message)
  }

  @Test(arguments: table)
  func messageIsWritten(_ vector: Vector) {
    #expect(
      String(decoding: vector.message.encoded, as: UTF8.self)
        == String(decoding: vector.bytes, as: UTF8.self))
  }

  /// What the text of BEP 5 has as `announce_peer` lacks the argument that it tells of.
  @Test func announceOfTheTextIsRead() throws {
    let text =
      "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456"
      + "4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"
    #expect(
      try KRPCMessage(Array(text.utf8))
        == Self.query(
          .announcePeer(
            .init(infohash: Self.other, port: 6881, token: Array("aoeusnth".utf8)))))
  }

  /// The address alone, as some programs send it.
  @Test func addressWithoutPortIsRead() throws {
    let text = "d2:ip4:axje1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re"
    let message = try KRPCMessage(Array(text.utf8))
    #expect(message.requester == PeerEndpoint(address: Self.endpoint("axje.u").address, port: 0))
  }
}
