import Metainfo
import SwarmNode
import Testing

@testable import SwarmTool

@Suite struct KnownDatasetTests {
  private let scratch = ScratchFolder()
  private let secret: DatasetSecret

  init() throws {
    secret = try #require(DatasetSecret(seed: [UInt8](repeating: 4, count: 32)))
  }

  private func state() throws -> StateFolder { try StateFolder(scratch("state")) }

  private func known(_ subject: String? = nil) throws -> KnownDataset {
    try KnownDataset(Array((subject ?? secret.key.hex).utf8), state: try state())
  }

  private func keep(_ numbers: [UInt64], here: (UInt64) -> Bool = { _ in true }) throws {
    try keepVersions(numbers, of: secret, in: state(), here: here)
  }

  @Test func historyGoesDownByWhatVersionsSay() throws {
    try keep([1, 2, 3])
    #expect(try known().history(limit: 9).map(\.number) == [3, 2, 1])
    #expect(try known().history(limit: 2).map(\.number) == [3, 2])
    #expect(try known().version(3) != nil && known().version(4) == nil)
  }

  @Test func gapsInNumbersStayGaps() throws {
    try keep([1, 4, 9])
    #expect(try known().history(limit: 9).map(\.number) == [9, 4, 1])
  }

  @Test func whatIsNotHereEndsItButIsNamed() throws {
    try keep([1, 2, 3]) { $0 != 2 }
    let entries = try known().history(limit: 9)
    #expect(entries.map(\.number) == [3, 2])
    #expect(entries.map { $0.kept != nil } == [true, false])
    #expect(entries.allSatisfy { $0.infohash != nil })
  }

  @Test func nothingIsKnownWithoutAHead() throws {
    #expect(try known().history(limit: 9).isEmpty)
    var dataset = try known()
    try keep([1])
    #expect(dataset.head == nil)
    try dataset.update()
    #expect(dataset.head?.version == 1)
  }

  @Test func subjectsThatAreNone() throws {
    for (subject, words) in [
      ("urn:btih:" + String(repeating: "0", count: 40), "no dataset's key"),
      (secret.key.hex + "@3", "without the number"),
      (String(decoding: scratch.path, as: UTF8.self), "not published"),
    ] {
      let error = #expect(throws: Failure.self) { _ = try known(subject) }
      #expect(error?.message.contains(words) == true)
    }
    let link = "magnet:?xs=urn:btpk:\(secret.key.hex)&s=0a&x.pe=192.0.2.1:5"
    let dataset = try known(link)
    #expect(dataset.key == secret.key && dataset.salt == [10] && dataset.peers.count == 1)
  }
}

@Suite struct SearchViewTests {
  private func view(_ peers: Int = 0, seconds: Int = 0, dht: Int? = 3) throws -> SearchView {
    let key = try #require(DatasetKey(hex: String(repeating: "ab", count: 32)))
    return SearchView(
      key: key, waiting: .head, dhtNodes: dht, asksLocalNetwork: true, peers: peers,
      seconds: seconds)
  }

  @Test func whatIsLookedForAndWhere() throws {
    let key = String(repeating: "ab", count: 32)
    #expect(
      try view().text
        == "looking for the newest version of \(key): asking the DHT (3 nodes), the local network")
    #expect(try view(2, dht: nil).text.hasSuffix("asking the local network, 2 peers"))
    #expect(try view(dht: 0).text.contains("none of its nodes answers yet"))
    var named = try view(dht: nil)
    named.named = 1
    #expect(named.text.hasSuffix("asking the local network, 1 named peer (it does not answer yet)"))
    named.refusing = 1
    named.seconds = 15
    #expect(named.text.hasSuffix("1 named peer (it answers and does not share this)"))
    #expect(named.advice?.contains("x.rk=") == true)
    named.peers = 1
    #expect(named.text.hasSuffix("asking the local network, 1 peer"))
  }

  @Test func adviceComesAfterAWhileAndOnlyWithoutPeers() throws {
    #expect(try view(seconds: SearchView.patience - 1).advice == nil)
    #expect(try view(1, seconds: 99).advice == nil)
    let advice = try #require(try view(seconds: 15).advice)
    #expect(
      advice.hasPrefix("no peers found after 15 s: check the key") && advice.contains("--peer"))
    #expect(!advice.contains("UDP"))
    #expect(try view(seconds: 15, dht: 0).advice?.contains("UDP") == true)
    #expect(advice.contains("swarm doctor"))
    // All of it is seen on a small terminal.
    let shown = try view(seconds: 15).lines(width: 60).joined(separator: " ")
    #expect(shown.hasSuffix(advice))
    for line in try view(seconds: 15).lines(width: 40) { #expect(line.count < 40) }
  }
}
