import Metainfo
import TestSupport
import Testing
import Wire

@Suite struct KRPCErrorTests {
  /// As some nodes of the public DHT write: read, and written in order.
  @Test func keysInAnyOrder() throws {
    let query = "d1:y1:q1:t2:aa1:q4:ping1:ad2:id20:abcdefghij01234567891:xi1eee"
    let read = try KRPCMessage(Array(query.utf8))
    let ordered = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"
    #expect(read == (try KRPCMessage(Array(ordered.utf8))))
    #expect(read.encoded == Array(ordered.utf8))
    let answer =
      "d1:rd5:token2:xy2:id20:abcdefghij01234567895:nodes0:e1:y1:r1:v4:LT\u{1}\u{2}1:t2:bbe"
    guard case .response(let response) = try KRPCMessage(Array(answer.utf8)).body else {
      Issue.record("no answer")
      return
    }
    #expect(response.token == Array("xy".utf8) && response.nodes == [])
  }

  /// A value that is signed or hashed has one form only: in disorder it is no item, whoever sends it.
  @Test func valuesStayCanonical() throws {
    let text = "d1:v" + "d1:bi1e1:ai2ee" + "2:id20:abcdefghij01234567895:token1:xe"
    let query = "d1:y1:q1:t2:aa1:q3:put1:a\(text)e"
    guard case .query(let put) = try KRPCMessage(Array(query.utf8)).body,
      case .put(let arguments) = put.method
    else {
      Issue.record("no query")
      return
    }
    #expect(arguments.value == Array("d1:bi1e1:ai2ee".utf8))
    #expect(throws: ItemError.self) { try ImmutableItem(value: arguments.value) }
  }

  struct Bad: CustomTestStringConvertible {
    let text: String
    let reason: KRPCProtocolError.Reason
    /// Whether an error can be sent in answer.
    let isQuery: Bool

    var testDescription: String { text }
  }

  static let id = "2:id20:abcdefghij0123456789"

  static let table = [
    Bad(text: "", reason: .bencode(.truncated), isQuery: false),
    Bad(text: "i1e", reason: .wrongKind("", expected: .dictionary), isQuery: false),
    Bad(text: "d1:y1:qe", reason: .missing("t"), isQuery: false),
    Bad(text: "d1:ti1e1:y1:qe", reason: .wrongKind("t", expected: .string), isQuery: false),
    Bad(
      text: "d1:t33:012345678901234567890123456789012" + "1:y1:qe", reason: .wrongLength("t", 33),
      isQuery: false),
    Bad(text: "d1:t2:aae", reason: .missing("y"), isQuery: false),
    Bad(text: "d1:t2:aa1:y1:ze", reason: .unknownMessage(Array("z".utf8)), isQuery: false),
    Bad(text: "d1:t2:aa1:y1:re", reason: .missing("r"), isQuery: false),
    Bad(
      text: "d1:r0:1:t2:aa1:y1:re", reason: .wrongKind("r", expected: .dictionary), isQuery: false),
    Bad(text: "d1:rd2:id3:abce1:t2:aa1:y1:re", reason: .wrongLength("id", 3), isQuery: false),
    Bad(
      text: "d1:rd\(id)5:nodes9:def456...e1:t2:aa1:y1:re", reason: .wrongLength("nodes", 9),
      isQuery: false),
    Bad(
      text: "d1:rd\(id)6:valuesi1ee1:t2:aa1:y1:re", reason: .wrongKind("values", expected: .list),
      isQuery: false),
    Bad(
      text: "d1:rd4:BFpe1:x\(id)e1:t2:aa1:y1:re", reason: .wrongLength("BFpe", 1), isQuery: false),
    Bad(text: "d1:e3:foo1:t2:aa1:y1:ee", reason: .wrongKind("e", expected: .list), isQuery: false),
    Bad(text: "d1:q4:ping1:t2:aa1:y1:qe", reason: .missing("a"), isQuery: true),
    Bad(text: "d1:ad\(id)e1:t2:aa1:y1:qe", reason: .missing("q"), isQuery: true),
    Bad(text: "d1:ade1:q4:ping1:t2:aa1:y1:qe", reason: .missing("id"), isQuery: true),
    Bad(text: "d1:ad\(id)e1:q9:find_node1:t2:aa1:y1:qe", reason: .missing("target"), isQuery: true),
    Bad(
      text:
        "d1:ad\(id)9:info_hash20:abcdefghij01234567894:porti65536e5:token1:xe1:q13:announce_peer"
        + "1:t2:aa1:y1:qe", reason: .outOfRange("port", 65_536), isQuery: true),
    Bad(
      text: "d1:ad\(id)9:info_hash20:abcdefghij01234567894:porti1ee1:q13:announce_peer"
        + "1:t2:aa1:y1:qe", reason: .missing("token"), isQuery: true),
    Bad(text: "d1:ad\(id)5:token1:xe1:q3:put1:t2:aa1:y1:qe", reason: .missing("v"), isQuery: true),
    Bad(
      text: "d1:ad\(id)1:k2:ab3:seqi1e5:token1:x1:vi1ee1:q3:put1:t2:aa1:y1:qe",
      reason: .wrongLength("k", 2), isQuery: true),
    Bad(
      text: "d1:ad\(id)1:k32:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk3:seqi-1e5:token1:x1:vi1ee"
        + "1:q3:put1:t2:aa1:y1:qe", reason: .outOfRange("seq", -1), isQuery: true),
  ]

  @Test(arguments: table)
  func faultIsNamed(_ bad: Bad) {
    let error = #expect(throws: KRPCProtocolError.self) { try KRPCMessage(Array(bad.text.utf8)) }
    #expect(error?.reason == bad.reason)
    #expect((error?.transaction == Array("aa".utf8)) == bad.isQuery)
    #expect(error?.description.isEmpty == false)
    if let error { #expect((0...bad.text.utf8.count).contains(error.offset)) }
  }

  /// However a message is cut or changed, it is read or refused, and what is read can be written.
  @Test func mutilatedMessagesAreTaken() throws {
    var random = SplitMix64(seed: 5)
    var read = 0
    for _ in 0..<4_000 {
      var bytes = KRPCVectorTests.table.randomElement(using: &random)!.bytes
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes = Array(bytes.prefix(place + 1))
        default: bytes.insert(UInt8.random(in: 48...57, using: &random), at: place)
        }
      }
      guard let message = try? KRPCMessage(bytes) else { continue }
      read += 1
      #expect(try KRPCMessage(message.encoded) == message)
    }
    #expect(read > 1_000)
  }

  @Test func listsAreBounded() throws {
    var response = KRPCResponse(id: KRPCVectorTests.asker)
    let contact = NodeContact(
      id: KRPCVectorTests.other, endpoint: KRPCVectorTests.endpoint("axje.u"))
    response.nodes = Array(repeating: contact, count: 40)
    let message = KRPCMessage(transaction: [1], body: .response(response))
    guard case .response(let read) = try KRPCMessage(message.encoded).body else {
      Issue.record("no response")
      return
    }
    #expect(read.nodes?.count == KRPCLimits.nodes)
    let long = [UInt8](repeating: 0, count: KRPCLimits.datagramBytes + 1)
    let error = #expect(throws: KRPCProtocolError.self) { try KRPCMessage(long) }
    #expect(error?.reason == .bencode(.tooLarge(KRPCLimits.datagramBytes)))
  }
}
