import Metainfo
import SwarmNode
import Testing
import Wire

@testable import SwarmTool

/// What a daemon keeps, and what it is asked.
@Suite struct RosterRecordTests {
  @Test func whatIsKeptComesBack() throws {
    var record = RosterRecord()
    let key = try #require(DatasetKey([UInt8](repeating: 7, count: 32)))
    record.datasets = [
      AddRequest(link: .link(MagnetLink(datasetKey: key, version: 3, name: [0xff, 0x5c, 0x0a]))),
      AddRequest(
        link: .path(Array("/data/\u{7}".utf8) + [0xfe]), directory: Array("/to \"here\"".utf8),
        isSparse: true, only: ["*.csv", "raw/**"],
        peers: [
          PeerAddress(host: .ipv4(IPv4Address(rawValue: 0x7f00_0001)), port: 6_881)
        ], keep: 2),
    ]
    record.exports = [
      RosterRecord.Export(
        dataset: key.hex, version: 3, path: Array("a/b\\c".utf8), name: [0x80], readTimeout: 9),
      RosterRecord.Export(
        dataset: key.hex, version: nil, path: [0x20], name: nil, readTimeout: nil),
    ]
    #expect(try RosterRecord(parsing: record.bytes) == record)
    #expect(try RosterRecord(parsing: RosterRecord().bytes) == RosterRecord())
  }

  @Test(arguments: [
    "", "[]", "{", "{\"format\": 2, \"datasets\": []}",
    "{\"format\": 1, \"datasets\": [{}]}",
    "{\"format\": 1, \"datasets\": [{\"link\": \"magnet:?\"}]}",
    "{\"format\": 1, \"datasets\": [{\"link\": \"/x\", \"peers\": [\"nowhere\"]}]}",
    "{\"format\": 1, \"exports\": [{\"dataset\": \"x\"}]}",
  ])
  func whatIsNotOursIsRefused(text: String) {
    #expect(throws: Failure.self) { try RosterRecord(parsing: Array(text.utf8)) }
  }

  @Test func answersOfADaemonAreRead() throws {
    let text = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"id\": \"x\"}"
    let answer = try ControlClient.answer(Array(text.utf8))
    #expect(answer.status == 201 && answer.body["id"]?.text == "x")
    let empty = try ControlClient.answer(Array("HTTP/1.1 204 No Content\r\n\r\n".utf8))
    #expect(empty.status == 204)
    for other in ["", "NBDMAGIC", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhello"] {
      #expect(throws: Failure.self) { try ControlClient.answer(Array(other.utf8)) }
    }
  }
}
