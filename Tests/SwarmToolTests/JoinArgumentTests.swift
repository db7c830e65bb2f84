import Metainfo
import SwarmNode
import Testing

@testable import SwarmTool

@Suite struct JoinSubjectTests {
  static let v1 = String(repeating: "0a", count: 20)
  static let v2 = String(repeating: "B1", count: 32)

  @Test func bareDigitsAreWhatTheyMayBe() throws {
    guard case .link(let link) = try JoinSubject(parsing: Array(Self.v1.utf8)) else {
      Issue.record("40 digits are a link")
      return
    }
    #expect(link.v1Infohash?.hex == Self.v1 && link.v2Infohash == nil && link.datasetKey == nil)
    guard case .link(let other) = try JoinSubject(parsing: Array(Self.v2.utf8)) else {
      Issue.record("64 digits are a link")
      return
    }
    #expect(other.v2Infohash?.hex == Self.v2.lowercased())
    #expect(other.datasetKey?.hex == Self.v2.lowercased())
  }

  @Test(arguments: [
    "magnet:?xt=urn:btih:\(v1)&dn=x", "urn:btih:\(v1)", "urn:btmh:1220\(v2)",
    "magnet:?xt=urn:btmh:1220\(v2)&xs=urn:btpk:\(v2)",
  ])
  func links(text: String) throws {
    guard case .link(let link) = try JoinSubject(parsing: Array(text.utf8)) else {
      Issue.record("\(text) is a link")
      return
    }
    #expect(link.v1Infohash != nil || link.v2Infohash != nil)
  }

  /// Other users see the words of a command.
  @Test func linksMayStandInAFile() throws {
    let scratch = ScratchFolder()
    let link = "magnet:?xs=urn:btpk:\(Self.v2)"
    for text in [link, link + "\n", "\n  \(link) \r\nmore\n"] {
      try WholeFile.write(Array(text.utf8), to: scratch("link"))
      #expect(
        try JoinSubject(parsing: [UInt8(ascii: "@")] + scratch("link"))
          == JoinSubject(parsing: Array(link.utf8)))
    }
    try WholeFile.write(Array(" \n".utf8), to: scratch("link"))
    #expect(throws: Failure.self) { try LinkInput.resolve([UInt8(ascii: "@")] + scratch("link")) }
    #expect(throws: Failure.self) { try LinkInput.resolve([UInt8(ascii: "@")] + scratch("none")) }
    #expect(try LinkInput.resolve(Array("./@x".utf8)) == Array("./@x".utf8))
    #expect(try LinkInput.resolve(Array("@".utf8)) == Array("@".utf8))
  }

  @Test func anythingElseIsAPath() throws {
    #expect(try JoinSubject(parsing: Array("a.torrent".utf8)) == .torrent(Array("a.torrent".utf8)))
    #expect(
      try JoinSubject(parsing: Array("./\(Self.v1)".utf8)) == .torrent(Array("./\(Self.v1)".utf8)))
  }

  @Test(arguments: ["urn:btpk:\(v2)", "magnet:?xs=urn:btpk:\(v2)&dn=x"])
  func keysAlone(text: String) throws {
    guard case .link(let link) = try JoinSubject(parsing: Array(text.utf8)) else {
      Issue.record("\(text) is a link")
      return
    }
    #expect(link.datasetKey?.hex == Self.v2.lowercased())
    #expect(link.v1Infohash == nil && link.v2Infohash == nil)
  }
}

@Suite struct PeerArgumentTests {
  @Test(arguments: [
    ("6881", "0.0.0.0:6881, [::]:6881"), (":0", "0.0.0.0:0, [::]:0"),
    ("*:7", "0.0.0.0:7, [::]:7"), ("127.0.0.1:6881", "127.0.0.1:6881"),
    ("[::1]:65535", "[::1]:65535"), ("0.0.0.0:1", "0.0.0.0:1"),
  ])
  func placesToListen(text: String, places: String) {
    #expect(ListenArgument(argument: text)?.description == places)
  }

  @Test(arguments: [
    "", ":", "65536", "a", "127.0.0.1", "127.0.0.1:", "::1:5", "localhost:1", "[1.2.3.4]:5",
  ])
  func notPlacesToListen(text: String) {
    #expect(ListenArgument(argument: text) == nil)
  }

  @Test(arguments: ["host.example:1", "192.0.2.1:6881", "[2001:db8::1]:6881"])
  func peers(text: String) {
    #expect(PeerArgument(argument: text)?.address.description == text)
  }

  @Test(arguments: ["host", "host:0", "::1:5", "ho st:1", "300.1.1.1:5"])
  func notPeers(text: String) {
    #expect(PeerArgument(argument: text) == nil)
  }

  @Test func peerCounts() {
    #expect(PeerCount(argument: "1")?.number == 1)
    for text in ["0", "-1", "", "x", "100001", "99999999999999999999"] {
      #expect(PeerCount(argument: text) == nil)
    }
  }
}
