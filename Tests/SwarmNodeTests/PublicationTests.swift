import Glibc
import Metainfo
import Store
import TestSupport
import Testing

@testable import SwarmNode

@Suite struct PublicationTests {
  private let temporary = TemporaryFolder()

  private struct Stopped: Error {}

  private func state() throws -> StateFolder { try StateFolder(temporary("state")) }

  private func source(
    _ kind: TorrentKind = .v2, pieceLength: UInt64? = 16_384, path: String = "data"
  ) throws -> PublishedSource {
    try state().publish(
      temporary(path), key: nil, name: nil, kind: kind, pieceLength: pieceLength)
  }

  private func hash(_ content: ContentImport) throws -> TorrentDescription {
    let loop = EventLoop()
    var result: Result<TorrentDescription, ContentImportError>?
    content.start(on: loop) { result = $0 }
    loop.run()
    return try #require(try result?.get())
  }

  /// Publishes what is there. Nil when nothing is new.
  private func publish(
    _ source: PublishedSource, message: String = "", stopAt step: Publication.Step? = nil
  ) throws -> (torrent: KnownTorrent, known: UInt64, leaves: [SHA256Digest], head: Head)? {
    let publication = try Publication(source, message: message, created: 7, state: try state())
    publication.onStep = { if $0 == step { throw Stopped() } }
    let description = try publication.import.map(hash)
    switch try publication.finish(description) {
    case .unchanged: return nil
    case .published(let torrent, let folder, let head):
      return (torrent, publication.import?.knownLength ?? 0, folder.leaves, head)
    }
  }

  /// What hashing everything gives.
  private func fromScratch(
    _ source: PublishedSource, _ version: VersionInfo?
  ) throws -> (info: InfoDictionary, layers: PieceLayers, leaves: [SHA256Digest]) {
    let content = try ContentImport(
      path: source.path, name: source.name,
      options: ImportOptions(
        kind: source.kind, pieceLength: source.pieceLength, version: version))
    let description = try hash(content)
    return (try description.infoDictionary(), description.pieceLayers, content.leaves)
  }

  /// What is private stays so without being told; what is public never becomes private.
  @Test func aPrivateDatasetStaysOne() throws {
    temporary.write([1], to: "data/a")
    temporary.write([1], to: "open/a")
    func publish(_ path: String, isPrivate: Bool) throws -> PublishedSource {
      try state().publish(
        temporary(path), key: nil, name: nil, kind: nil, pieceLength: nil, isPrivate: isPrivate)
    }
    // One that was stopped before its first version is nobody's yet.
    let source = try publish("data", isPrivate: false)
    #expect(try state().keys.readKey(of: source.key) == nil)
    #expect(try publish("data", isPrivate: true) == source)
    let readKey = try #require(try state().keys.readKey(of: source.key))
    _ = try self.publish(source)
    #expect(try publish("data", isPrivate: false) == source)
    #expect(try publish("data", isPrivate: true) == source)
    #expect(try state().keys.readKey(of: source.key) == readKey)

    let open = try publish("open", isPrivate: false)
    _ = try self.publish(open)
    let error = #expect(throws: PublicationError.self) { try publish("open", isPrivate: true) }
    #expect(error == .isPublic(open.key))
    #expect(try state().keys.readKey(of: open.key) == nil)
  }

  @Test func versionsFollowOneAnother() throws {
    temporary.write([UInt8](repeating: 1, count: 100_000), to: "data/a")
    temporary.write([2], to: "data/b")
    let source = try source()
    let first = try #require(try publish(source, message: "first"))
    let version = try #require(first.torrent.info.version)
    #expect(version == VersionInfo(number: 1, created: 7, message: "first"))
    #expect(first.head.version == 1 && first.head.infohashV2 == first.torrent.info.infohashV2)
    #expect(try publish(source, message: "again") == nil)

    temporary.write([3], to: "data/c")
    let second = try #require(try publish(source))
    #expect(
      second.torrent.info.version
        == VersionInfo(number: 2, previous: first.torrent.info.infohashV2, created: 7))
    #expect(second.known == 100_001)
    let dataset = try state().dataset(source.key)
    #expect(try dataset.head() == second.head)
    #expect(try dataset.versions() == [1, 2])
    #expect(dataset.version(1) == first.torrent.info.infohashV2)
    #expect(dataset.version(2) == second.torrent.info.infohashV2)
    // The older one is still there, as it was.
    let infohash = try #require(dataset.version(1))
    let kept = try #require(try state().keptVersion(infohash, content: source.path))
    #expect(kept.torrent.info.bytes == first.torrent.info.bytes && kept.leaves == first.leaves)
    #expect(try self.source() == source)
  }

  /// A touched file is hashed again, and makes no version; an empty folder is nothing to publish.
  @Test func whatATorrentDoesNotSayIsNoNewVersion() throws {
    temporary.write([1], to: "data/a")
    let source = try source()
    _ = try publish(source)
    temporary.write([1], to: "data/a")
    try StateFolder.make(temporary("data/empty"))
    #expect(try publish(source) == nil)
    // It is remembered how they look now.
    let publication = try Publication(source, message: "", created: 7, state: try state())
    #expect(publication.import == nil)
  }

  /// What is as published, at another path or by another state folder that knows the version, can be shared
  /// from there: it makes no new version, and is not hashed again.
  @Test(arguments: [false, true])
  func theSameContentElsewhereIsTheSameVersion(inAnotherState: Bool) throws {
    temporary.write([UInt8](repeating: 1, count: 100_000), to: "data/a")
    temporary.write([2], to: "data/b")
    let first = try source()
    let (torrent, _, leaves, head) = try #require(try publish(first))
    var state = try state()
    if inAnotherState {
      let secret = try #require(try state.keys.secret(of: first.key))
      state = try StateFolder(temporary("other"))
      try state.keys.keep(secret)
      // As one who has asked others has it.
      try state.keep(KnownTorrent(info: torrent.info, pieceLayers: [:]))
      _ = try state.dataset(first.key).keep(head: head)
    }
    temporary.write([UInt8](repeating: 1, count: 100_000), to: "moved/a")
    temporary.write([2], to: "moved/b")
    let source = try state.publish(
      temporary("moved"), key: first.key, name: nil, kind: .v2, pieceLength: 16_384)
    func publication() throws -> Publication {
      try Publication(source, message: "", created: 8, state: state)
    }
    do {
      // Holds the dataset as long as it is there.
      let again = try publication()
      guard case .unchanged = try again.finish(try again.import.map(hash)) else {
        Issue.record("a version of what is published already")
        return
      }
    }
    let infohash = try #require(head.infohashV2)
    let kept = try #require(state.keptVersion(infohash, content: source.path))
    #expect(kept.record?.isWhole == true && kept.record?.owner == .user)
    #expect(kept.leaves == leaves && kept.torrent.pieceLayers == torrent.pieceLayers)
    #expect(try state.dataset(first.key).versions() == [1])
    // From now on as with every folder that is published: only what changes is hashed.
    #expect(try publication().import == nil)
    temporary.write([3], to: "moved/b")
    #expect(try publication().import?.knownLength == 100_000)
  }

  /// What is taken from the version before is what hashing gives, whatever changed.
  @Test(arguments: [TorrentKind.v2, .hybrid], 0..<6 as Range<UInt64>)
  func hashesThatAreTakenAreRight(kind: TorrentKind, seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    var names = (0..<12).map { "data/\($0 % 3)/f\($0)" }
    func write(_ name: String) {
      let sizes = [0, 1, 16_384, 16_385, 70_000, 300_000]
      let size = sizes[Int.random(in: 0..<sizes.count, using: &generator)]
      temporary.write(generator.bytes(size), to: name)
    }
    for name in names { write(name) }
    temporary.write([1], to: "data/always")
    let source = try source(kind)
    _ = try publish(source)
    for number in 2...5 {
      for name in names where generator.oneIn(3) { write(name) }
      if generator.oneIn(2) {
        let gone = names.remove(at: Int.random(in: names.indices, using: &generator))
        _ = temporary(gone).withCPath { unlink($0) }
      }
      names.append("data/new/n\(number)")
      write(names[names.count - 1])
      guard let made = try publish(source) else { continue }
      let slow = try fromScratch(source, made.torrent.info.version)
      #expect(made.torrent.info.bytes == slow.info.bytes, "seed \(seed)")
      #expect(made.torrent.pieceLayers == slow.layers)
      #expect(made.leaves == slow.leaves)
      #expect(made.known > 0)
    }
  }

  @Test(arguments: [TorrentKind.v2, .hybrid])
  func aSingleFileIsPublishedToo(kind: TorrentKind) throws {
    temporary.write([1, 2], to: "image")
    let source = try state().publish(
      temporary("image"), key: nil, name: nil, kind: kind, pieceLength: nil)
    let first = try #require(try publish(source))
    #expect(first.torrent.info.isSingleFile && first.torrent.info.kind == kind)
    temporary.write([1, 2, 3], to: "image")
    #expect(try publish(source)?.head.version == 2)
    #expect(try publish(source) == nil)
  }

  /// Stopped before the head, the former version stands, and the next attempt makes the same number.
  @Test(arguments: Publication.Step.allCases.filter { $0 != .forgetPrepared })
  func aStopBetweenStepsLosesNothing(step: Publication.Step) throws {
    temporary.write([UInt8](repeating: 1, count: 50_000), to: "data/a")
    let source = try source()
    #expect(throws: Stopped.self) { try publish(source, stopAt: step) }
    let dataset = try state().dataset(source.key)
    #expect(try dataset.head() == nil)
    let first = try #require(try publish(source))
    #expect(first.head.version == 1)
    #expect(first.torrent.info.infohashV2 == first.head.infohashV2)

    temporary.write([2], to: "data/b")
    #expect(throws: Stopped.self) { try publish(source, message: "two", stopAt: step) }
    #expect(try dataset.head() == first.head)
    // Changed again, or not: version 2 it is.
    if step != .keepHead { temporary.write([3], to: "data/c") }
    let second = try #require(try publish(source, message: "two"))
    #expect(second.head.version == 2 && second.torrent.info.version?.message == "two")
    #expect(second.torrent.info.version?.previous == first.torrent.info.infohashV2)
    #expect(dataset.version(2) == second.head.infohashV2)
    let slow = try fromScratch(source, second.torrent.info.version)
    #expect(slow.info.bytes == second.torrent.info.bytes && slow.leaves == second.leaves)
    #expect(try publish(source) == nil)
  }

  /// An attempt that came to no end vouches for nothing: when its number is given elsewhere, that counts.
  @Test(arguments: Publication.Step.allCases)
  func whatWasNotPublishedIsNoVersion(step: Publication.Step) throws {
    temporary.write([1], to: "data/a")
    let source = try source()
    let first = try #require(try publish(source))
    temporary.write([2], to: "data/b")
    #expect(throws: Stopped.self) { try publish(source, stopAt: step) }
    let dataset = try state().dataset(source.key)
    let isPublished = step == .forgetPrepared
    #expect(try dataset.versions() == (isPublished ? [1, 2] : [1]))
    #expect(try dataset.head()?.version == (isPublished ? 2 : 1))
    if isPublished { return }
    let secret = try #require(try state().keys.secret(of: source.key))
    _ = try dataset.keep(
      head: Head(version: 3, infohash: SHA256Digest(hashing: [3]), signedBy: secret))
    #expect(dataset.version(2) == nil && dataset.version(1) == first.head.infohashV2)
    #expect(try publish(source)?.head.version == 4)
  }

  @Test func aDatasetKeepsItsNameFromWhereverItIsPublished() throws {
    temporary.write([1], to: "data/a")
    let source = try source()
    #expect(try publish(source)?.torrent.info.name.bytes == Array("data".utf8))
    temporary.write([1], to: "moved/a")
    temporary.write([2], to: "moved/b")
    let moved = temporary("moved")
    #expect(throws: PublicationError.otherName(source.key, Array("data".utf8))) {
      try state().publish(
        moved, key: source.key, name: Array("moved".utf8), kind: nil, pieceLength: nil)
    }
    let second = try state().publish(
      moved, key: source.key, name: nil, kind: nil, pieceLength: nil,
      calledBy: Array("link".utf8))
    #expect(second.name == Array("data".utf8))
    let made = try #require(try publish(second))
    #expect(made.torrent.info.name.bytes == Array("data".utf8) && made.head.version == 2)
    #expect(!made.torrent.info.isOneNamedFile)
    // The name of a link to what is published first.
    temporary.write([1], to: "third/a")
    let named = try state().publish(
      temporary("third"), key: nil, name: nil, kind: nil, pieceLength: nil,
      calledBy: Array("link".utf8))
    #expect(named.name == Array("link".utf8))
  }

  @Test func whatWasHashedBeforeAStopIsUsed() throws {
    temporary.write([UInt8](repeating: 1, count: 50_000), to: "data/a")
    let source = try source()
    #expect(throws: Stopped.self) { try publish(source, message: "m", stopAt: .keepHead) }
    let publication = try Publication(source, message: "m", created: 8, state: try state())
    try #require(publication.import == nil)
    guard case .published(let torrent, _, _) = try publication.finish(nil) else {
      Issue.record("not published")
      return
    }
    #expect(torrent.info.version?.created == 7)
  }

  @Test func whatChangesMeanwhileIsNotPublished() throws {
    temporary.write([1], to: "data/a")
    temporary.write([2], to: "data/b")
    let source = try source()
    _ = try publish(source)
    temporary.write([3], to: "data/b")
    let publication = try Publication(source, message: "", created: 7, state: try state())
    let description = try publication.import.map(hash)
    // This one was not even opened.
    temporary.write([4], to: "data/a")
    #expect(throws: PublicationError.self) { try publication.finish(description) }
    #expect(try state().dataset(source.key).head()?.version == 1)
  }

  @Test func aHeadThatCameMeanwhileIsNotContradicted() throws {
    temporary.write([1], to: "data/a")
    let source = try source()
    let publication = try Publication(source, message: "", created: 7, state: try state())
    let description = try publication.import.map(hash)
    let secret = try #require(try state().keys.secret(of: source.key))
    let other = try Head(version: 1, infohash: SHA256Digest(hashing: [9]), signedBy: secret)
    _ = try state().dataset(source.key).keep(head: other)
    let error = #expect(throws: PublicationError.self) { try publication.finish(description) }
    #expect(error == .overtaken(source.key, 1))
    #expect(try state().dataset(source.key).head() == other)
  }

  @Test func oneAtATimeAndOnlyWithTheSecret() throws {
    temporary.write([1], to: "data/a")
    let source = try source()
    do {
      let first = try Publication(source, message: "", created: 7, state: try state())
      let error = #expect(throws: PublicationError.self) {
        try Publication(source, message: "", created: 7, state: try state())
      }
      guard case .state(.inUse) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      withExtendedLifetime(first) {}
    }
    let secret = try #require(try state().keys.secret(of: source.key))
    let last = try Head(
      version: .max, infohash: SHA256Digest(hashing: [1]), signedBy: secret)
    let long = String(repeating: "m", count: VersionInfo.messageBytes + 1)
    #expect(throws: PublicationError.message(long.utf8.count)) {
      try Publication(source, message: long, created: 7, state: try state())
    }
    _ = try state().dataset(source.key).keep(head: last)
    #expect(throws: PublicationError.noMoreNumbers(source.key)) {
      try Publication(source, message: "", created: 7, state: try state())
    }
    let file = try state().keys.file(of: source.key)
    _ = file.withCPath { unlink($0) }
    #expect(throws: PublicationError.noSecret(file)) {
      try Publication(source, message: "", created: 7, state: try state())
    }
  }

  @Test func aPathIsPublishedInOneWay() throws {
    temporary.write([1], to: "data/a")
    let source = try source()
    let state = try state()
    let path = temporary("data")
    #expect(
      try state.publish(path, key: nil, name: nil, kind: nil, pieceLength: nil) == source)
    let other = try state.keys.make().key
    for publish in [
      { try state.publish(path, key: other, name: nil, kind: nil, pieceLength: nil) },
      { try state.publish(path, key: nil, name: [1], kind: nil, pieceLength: nil) },
      { try state.publish(path, key: nil, name: nil, kind: .hybrid, pieceLength: nil) },
      { try state.publish(path, key: nil, name: nil, kind: nil, pieceLength: 32_768) },
    ] { #expect(throws: PublicationError.self) { try publish() } }
    #expect(try state.keys.keys().count == 2)
    temporary.write([1], to: "more/a")
    #expect(throws: PublicationError.unknownVersions(other)) {
      try state.publish(temporary("more"), key: other, name: nil, kind: nil, pieceLength: nil)
    }
    let secret = try #require(try state.keys.secret(of: other))
    let head = try Head(version: 7, infohash: SHA256Digest(hashing: [1]), signedBy: secret)
    _ = try state.dataset(other).keep(head: head)
    #expect(
      try state.publish(temporary("more"), key: other, name: nil, kind: nil, pieceLength: nil).key
        == other)
    let more = try #require(state.publishedSource(at: temporary("more")))
    let made = try #require(try publish(more))
    #expect(made.torrent.info.version?.number == 8)
    #expect(made.torrent.info.version?.previous == head.infohashV2)
    let unknown = try #require(DatasetSecret(seed: [UInt8](repeating: 9, count: 32))).key
    temporary.write([1], to: "third/a")
    #expect(throws: PublicationError.noSecret(state.keys.file(of: unknown))) {
      try state.publish(temporary("third"), key: unknown, name: nil, kind: nil, pieceLength: nil)
    }
  }
}
