import Glibc
import Metainfo
import SwarmNode
import Testing

@testable import SwarmTool

@Suite struct PrivateLinkTests {
  private let scratch = ScratchFolder()
  private let secret = DatasetSecret(seed: [UInt8](repeating: 4, count: 32))!
  private let readKey = ReadKey([UInt8](repeating: 0xE7, count: 32))!

  private func state() throws -> StateFolder { try StateFolder(scratch("state")) }

  private func link(_ text: String) throws -> MagnetLink {
    guard case .link(let link) = try JoinSubject(parsing: Array(text.utf8)) else {
      throw Failure("\(text) is no link")
    }
    return link
  }

  private var whole: String { "magnet:?xs=urn:btpk:\(secret.key)&x.rk=\(readKey.hex)" }

  @Test func aLinksReadKeyIsKeptAndUsedFromThenOn() throws {
    let state = try state()
    var open = try link("magnet:?xs=urn:btpk:\(secret.key)")
    try open.unlock(in: state)
    #expect(!open.isPrivate)
    var first = try link(whole + "&tr=http://a.example/&ws=http://b.example/")
    try first.unlock(in: state)
    #expect(first.readKey == readKey && first.trackers.isEmpty && first.webSeeds.isEmpty)
    #expect(try state.keys.readKey(of: secret.key) == readKey)
    // By the key alone; 64 bare digits may be an infohash, and are none here.
    for text in ["magnet:?xs=urn:btpk:\(secret.key)", "\(secret.key)"] {
      var again = try link(text)
      try again.unlock(in: state)
      #expect(again.readKey == readKey && again.v2Infohash == nil && again.v1Infohash == nil)
    }
    #expect(try KnownDataset(Array(secret.key.hex.utf8), state: state).readKey == readKey)
  }

  @Test func anotherReadKeyIsRefused() throws {
    let state = try state()
    var first = try link(whole)
    try first.unlock(in: state)
    var other = try link(
      "magnet:?xs=urn:btpk:\(secret.key)&x.rk=\(String(repeating: "12", count: 32))")
    let failure = #expect(throws: Failure.self) { try other.unlock(in: state) }
    #expect(failure?.message.contains("another read key") == true)
    #expect(failure?.message.contains("1212") == false)
    #expect(try state.keys.readKey(of: secret.key) == readKey)
  }

  @Test func whatIsPublicHereIsNotTakenForPrivate() throws {
    let state = try state()
    let head = try Head(version: 1, infohash: SHA256Digest(hashing: [1]), signedBy: secret)
    _ = try state.dataset(secret.key).keep(head: head)
    var named = try link(whole)
    let failure = #expect(throws: Failure.self) { try named.unlock(in: state) }
    #expect(failure?.message.contains("public") == true)
    #expect(try state.keys.readKey(of: secret.key) == nil)
  }

  @Test func aReadKeyAloneOpensNothing() throws {
    var alone = try link("urn:btmh:1220\(String(repeating: "ab", count: 32))")
    alone.readKey = readKey
    let state = try state()
    let failure = #expect(throws: Failure.self) { try alone.unlock(in: state) }
    #expect(failure?.message.contains("whole link") == true)
  }

  /// To look for a version by its infohash would tell everybody.
  @Test func versionsOfPrivateDatasetsAreNotJoinedInTheOpen() throws {
    let state = try state()
    try state.keys.keep(readKey, of: secret.key)
    let infohash = SHA256Digest(hashing: [1])
    let head = try Head(version: 3, infohash: infohash, signedBy: secret)
    _ = try state.dataset(secret.key).keep(head: head)
    var named = try link("urn:btmh:1220\(infohash)")
    let failure = #expect(throws: Failure.self) { try named.unlock(in: state) }
    #expect(failure?.message.contains("\(secret.key)@3") == true)
    var other = try link("urn:btmh:1220\(SHA256Digest(hashing: [2]))")
    try other.unlock(in: state)
    #expect(!other.isPrivate)
  }

  /// Also by the beginning of its v2 infohash, which stands for it in the DHT.
  @Test func norByWhatStandsForTheirInfohash() throws {
    let state = try state()
    try state.keys.keep(readKey, of: secret.key)
    let infohash = SHA256Digest(hashing: [1])
    _ = try state.dataset(secret.key).keep(
      head: Head(version: 3, infohash: infohash, signedBy: secret))
    var named = try link("urn:btih:\(infohash.truncated)")
    #expect(throws: Failure.self) { try named.unlock(in: state) }
  }

  /// A public dataset whose head leads to a version of a private one: what is known here of it stays here.
  @Test func anothersHeadDoesNotOpenAPrivateVersion() throws {
    let state = try state()
    try state.keys.keep(readKey, of: secret.key)
    let infohash = SHA256Digest(hashing: [1])
    _ = try state.dataset(secret.key).keep(
      head: Head(version: 3, infohash: infohash, signedBy: secret))
    let other = try #require(DatasetSecret(seed: [UInt8](repeating: 9, count: 32)))
    let head = try Head(version: 5, infohash: infohash, signedBy: other)
    func plan() throws -> Member.Plan {
      try JoinRequest(
        subject: JoinSubject(parsing: Array("magnet:?xs=urn:btpk:\(other.key)".utf8)),
        directory: scratch("target")
      ).plan(in: state, StatusDisplay(isJSON: true, objectsTo: nil)).0
    }
    // It comes later, or is known from before.
    let dataset = try #require(try plan().dataset)
    let failure = #expect(throws: Failure.self) { _ = try dataset.version(head) }
    #expect(failure?.message.contains("\(secret.key)@3") == true)
    _ = try state.dataset(other.key).keep(head: head)
    #expect(throws: Failure.self) { _ = try plan() }
  }

  /// A private dataset whose read key is lost is no public one.
  @Test func withoutItsReadKeyAPrivateDatasetStaysClosed() throws {
    let state = try state()
    var first = try link(whole)
    try first.unlock(in: state)
    let infohash = SHA256Digest(hashing: [1])
    _ = try state.dataset(secret.key).keep(
      head: Head(version: 3, infohash: infohash, signedBy: secret))
    let file = String(decoding: state.keys.readKeyFile(of: secret.key), as: UTF8.self)
    #expect(unlink(file) == 0)
    for text in ["magnet:?xs=urn:btpk:\(secret.key)", "\(secret.key)", "\(secret.key)@3"] {
      var again = try link(text)
      let failure = #expect(throws: Failure.self) { try again.unlock(in: state) }
      #expect(failure?.message.contains("x.rk=") == true)
      #expect(throws: Failure.self) { try KnownDataset(Array(text.utf8), state: state) }
    }
    #expect(throws: Failure.self) { try state.readKey(of: secret.key) }
    // Nor by the infohash of a version.
    var named = try link("urn:btmh:1220\(infohash)")
    #expect(throws: Failure.self) { try named.unlock(in: state) }
    // Another read key is not its own; the link that has the right one opens it again.
    var other = try link(
      "magnet:?xs=urn:btpk:\(secret.key)&x.rk=\(String(repeating: "12", count: 32))")
    #expect(throws: Failure.self) { try other.unlock(in: state) }
    var right = try link(whole)
    try right.unlock(in: state)
    #expect(try right.readKey == readKey && state.readKey(of: secret.key) == readKey)
  }

  /// All that a plan leads to goes by the read key.
  @Test func aPlanHasTheReadKey() throws {
    let state = try state()
    func plan(_ text: String) throws -> Member.Plan {
      try JoinRequest(subject: JoinSubject(parsing: Array(text.utf8)), directory: scratch("target"))
        .plan(in: state, StatusDisplay(isJSON: true, objectsTo: nil)).0
    }
    #expect(try plan("magnet:?xs=urn:btpk:\(secret.key)").readKey == nil)
    #expect(try plan(whole).readKey == readKey)
    #expect(try plan("magnet:?xs=urn:btpk:\(secret.key)").readKey == readKey)
    #expect(try plan("\(secret.key)@2").readKey == readKey)
  }
}
