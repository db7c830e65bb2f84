import Glibc
import Metainfo
import Testing

@testable import SwarmNode

@Suite struct KeyFolderTests {
  private let temporary = TemporaryFolder()

  private func state() throws -> StateFolder { try StateFolder(temporary("state")) }

  private func secret(_ byte: UInt8) throws -> DatasetSecret {
    try #require(DatasetSecret(seed: [UInt8](repeating: byte, count: 32)))
  }

  private func mode(_ path: [UInt8]) -> UInt32 {
    var status = stat()
    _ = path.withCPath { stat($0, &status) }
    return UInt32(status.st_mode & 0o777)
  }

  @Test func secretsAreKeptForTheirOwnerAlone() throws {
    let keys = try state().keys
    #expect(try keys.keys().isEmpty)
    let (a, b) = (try secret(1), try secret(2))
    #expect(try keys.secret(of: a.key) == nil)
    try keys.keep(a)
    try keys.keep(b)
    try keys.keep(a)
    #expect(try keys.secret(of: a.key)?.seed == a.seed)
    #expect(try keys.keys().map(\.hex) == [a.key.hex, b.key.hex].sorted())
    #expect(mode(keys.path) == 0o700 && mode(keys.file(of: a.key)) == 0o600)
    // As the design has it: a person can look at it.
    #expect(
      try WholeFile.read(keys.file(of: a.key), limit: 100) == Array((a.seed.hex + "\n").utf8))
    temporary.write([1], to: "state/keys/notes")
    #expect(try keys.keys().count == 2)
  }

  @Test func newKeysAreNeverTheSame() throws {
    let keys = try state().keys
    let made = try (0..<20).map { _ in try keys.make().key }
    let known = try keys.keys()
    #expect(Set(made).count == 20 && Set(known) == Set(made))
  }

  @Test func aFileThatOthersMayReadIsRefused() throws {
    let keys = try state().keys
    let secret = try secret(1)
    try keys.keep(secret)
    let file = keys.file(of: secret.key)
    for mode: mode_t in [0o644, 0o640, 0o604, 0o620, 0o601] {
      _ = file.withCPath { chmod($0, mode) }
      let error = #expect(throws: KeyError.self) { try keys.secret(of: secret.key) }
      #expect(error == .permissions(file, UInt32(mode)))
      #expect(error?.description.contains("chmod 600") == true)
      // Not replaced behind the owner's back either.
      #expect(throws: KeyError.self) { try keys.keep(secret) }
    }
    for mode: mode_t in [0o600, 0o400, 0o700] {
      _ = file.withCPath { chmod($0, mode) }
      #expect(try keys.secret(of: secret.key)?.seed == secret.seed)
    }
  }

  @Test func whatIsNoSecretIsRefusedAndNotShown() throws {
    let keys = try state().keys
    let (a, b) = (try secret(1), try secret(2))
    let digits = a.seed.hex
    try StateFolder.make(keys.path, mode: 0o700)
    for text in [
      "", "\n", String(digits.dropLast()), digits + "0", digits.dropLast() + "g", " " + digits,
    ] {
      let file = keys.file(of: a.key)
      _ = file.withCPath { unlink($0) }
      try WholeFile.write(Array(text.utf8), to: file, mode: 0o600)
      let error = #expect(throws: KeyError.self) { try keys.secret(of: a.key) }
      #expect(error == .noKey(file))
      #expect(error?.description.contains(digits.prefix(8)) == false)
    }
    let contents = KeyFolder.Contents(secret: a, readKey: nil)
    try KeyFolder.write(contents, to: keys.file(of: b.key))
    let error = #expect(throws: KeyError.self) { try keys.secret(of: b.key) }
    #expect(error == .otherKey(keys.file(of: b.key), a.key))
    #expect(throws: SystemError.self) { try KeyFolder.write(contents, to: keys.file(of: b.key)) }
    #expect(try KeyFolder.parse(Array((digits + "\r\n\n").utf8), from: []).secret.key == a.key)
    #expect("\(a)".contains(digits) == false)
  }
}

@Suite struct ReadKeyFileTests {
  private let temporary = TemporaryFolder()
  private let secret = DatasetSecret(seed: [UInt8](repeating: 1, count: 32))!

  private func keys() throws -> KeyFolder { try StateFolder(temporary("state")).keys }

  private func readKey(_ byte: UInt8) throws -> ReadKey {
    try #require(ReadKey([UInt8](repeating: byte, count: 32)))
  }

  @Test func readKeysAreKeptForTheirOwnerAlone() throws {
    let keys = try keys()
    #expect(try keys.readKey(of: secret.key) == nil && keys.privateKeys().isEmpty)
    let made = try keys.makeReadKey(of: secret.key)
    #expect(try keys.makeReadKey(of: secret.key) == made)
    try keys.keep(made, of: secret.key)
    #expect(try keys.readKey(of: secret.key) == made)
    #expect(try keys.privateKeys() == [secret.key])
    // It is no secret of a key, by which something could be published.
    #expect(try keys.keys().isEmpty)
    var status = stat()
    _ = keys.readKeyFile(of: secret.key).withCPath { stat($0, &status) }
    #expect(status.st_mode & 0o777 == 0o600)
    let error = #expect(throws: KeyError.self) { try keys.keep(try readKey(2), of: secret.key) }
    #expect(error == .otherReadKey(secret.key))
    #expect(error?.description.contains(made.hex) == false)
    #expect(try keys.readKey(of: secret.key) == made)
  }

  /// It stays private whatever becomes of the file, of which earlier versions of the program knew nothing else.
  @Test func aLostReadKeyIsAnError() throws {
    let state = try StateFolder(temporary("state"))
    let key = secret.key
    #expect(try state.keptReadKey(of: key) == nil && state.privateDatasets().isEmpty)
    // Kept by an earlier version.
    let made = try state.keys.makeReadKey(of: key)
    #expect(try state.keptReadKey(of: key) == made && state.privateDatasets() == [key])
    let file = state.keys.readKeyFile(of: key)
    func lose() { #expect(file.withCPath { unlink($0) } == 0) }
    lose()
    #expect(throws: KeyError.lostReadKey(file, key)) { try state.keptReadKey(of: key) }
    #expect(throws: KeyError.lostReadKey(file, key)) { try state.makeReadKey(of: key) }
    #expect(throws: KeyError.otherReadKey(key)) { try state.keep(try readKey(2), of: key) }
    #expect(try state.privateDatasets() == [key])
    try state.keep(made, of: key)
    #expect(try state.keptReadKey(of: key) == made)
    // Who keeps it leaves a mark at once; one that cannot be read is a mark still.
    let other = try #require(DatasetKey([UInt8](repeating: 7, count: 32)))
    let mark = state.dataset(other).privateMarkPath
    try state.keep(try readKey(2), of: other)
    #expect(state.keys.readKeyFile(of: other).withCPath { unlink($0) } == 0)
    try WholeFile.write([], to: mark)
    #expect(throws: KeyError.self) { try state.keptReadKey(of: other) }
    try state.keep(try readKey(3), of: other)
    #expect(try state.keptReadKey(of: other) == readKey(3))
    var status = stat()
    _ = mark.withCPath { stat($0, &status) }
    #expect(status.st_mode & 0o777 == 0o600)
    #expect(try state.privateDatasets().count == 2)
  }

  /// A private dataset whose read key is lost gets no version that would be told in the open.
  @Test func withoutItsReadKeyNothingIsPublished() throws {
    let state = try StateFolder(temporary("state"))
    let path = temporary("folder")
    func publish() throws -> PublishedSource {
      try state.publish(path, key: nil, name: nil, kind: nil, pieceLength: nil)
    }
    let source = try state.publish(
      path, key: nil, name: nil, kind: nil, pieceLength: nil, isPrivate: true)
    #expect(try publish() == source)
    let file = state.keys.readKeyFile(of: source.key)
    #expect(file.withCPath { unlink($0) } == 0)
    #expect(throws: PublicationError.self) { try publish() }
  }

  @Test func newOnesAreNeverTheSame() throws {
    let keys = try keys()
    let made = try (1...20).map { number in
      try keys.makeReadKey(of: #require(DatasetKey([UInt8](repeating: number, count: 32)))).hex
    }
    #expect(Set(made).count == 20)
  }

  /// Whoever took a dataset for a public one since its file cannot be read would give it away.
  @Test func whatCannotBeReadIsAnErrorAndNotPublic() throws {
    let keys = try keys()
    let made = try keys.makeReadKey(of: secret.key)
    let file = keys.readKeyFile(of: secret.key)
    for mode: mode_t in [0o644, 0o640, 0o604] {
      _ = file.withCPath { chmod($0, mode) }
      #expect(throws: KeyError.permissions(file, UInt32(mode))) { try keys.readKey(of: secret.key) }
    }
    for text in ["", "\n", String(made.hex.dropLast()), made.hex + "0", "x" + made.hex.dropFirst()]
    {
      _ = file.withCPath { unlink($0) }
      try WholeFile.write(Array(text.utf8), to: file, mode: 0o600)
      #expect(throws: KeyError.noReadKey(file)) { try keys.readKey(of: secret.key) }
      #expect(throws: KeyError.self) { try keys.keep(made, of: secret.key) }
    }
  }

  @Test func aSecretTravelsWithItsReadKey() throws {
    let readKey = try readKey(7)
    let contents = KeyFolder.Contents(secret: secret, readKey: readKey)
    let text = KeyFolder.text(of: contents)
    let back = try KeyFolder.parse(text, from: [])
    #expect(back.secret.seed == secret.seed && back.readKey == readKey)
    #expect(throws: KeyError.noReadKey([])) { try KeyFolder.parse(text.dropLast(2), from: []) }
    #expect(throws: KeyError.noKey([])) { try KeyFolder.parse(text + Array("00\n".utf8), from: []) }
  }
}

@Suite struct KeyedDatasetTests {
  private let temporary = TemporaryFolder()

  private func secret(_ byte: UInt8 = 1) throws -> DatasetSecret {
    try #require(DatasetSecret(seed: [UInt8](repeating: byte, count: 32)))
  }

  private func head(_ number: Int64, _ byte: UInt8 = 0) throws -> Head {
    try Head(version: number, infohash: SHA256Digest(hashing: [byte]), signedBy: try secret())
  }

  private func dataset() throws -> KeyedDataset {
    try StateFolder(temporary("state")).dataset(try secret().key)
  }

  @Test func headsNeverGoBack() throws {
    let dataset = try dataset()
    #expect(try dataset.head() == nil)
    #expect(try dataset.keep(head: try head(2)) == .kept)
    #expect(try dataset.head() == (try head(2)))
    #expect(try dataset.keep(head: try head(2)) == .known)
    #expect(try dataset.keep(head: try head(1)) == .older(than: 2))
    #expect(try dataset.keep(head: try head(2, 1)) == .contradicts(try head(2)))
    #expect(try dataset.head() == (try head(2)))
    #expect(try dataset.keep(head: try head(7, 1)) == .kept)
    #expect(try self.dataset().head() == (try head(7, 1)))
  }

  @Test func aSealedHeadIsKeptAndNeverGoesBack() throws {
    let dataset = try dataset()
    let readKey = try #require(ReadKey([UInt8](repeating: 3, count: 32)))
    let box = try #require(SealedHeadBox(try secret().key, readKey))
    let items = try (1...2).map { try box.seal(try head($0), with: try secret()) }
    #expect(dataset.sealedHead() == nil)
    try dataset.keep(sealed: items[1])
    try dataset.keep(sealed: items[0])
    let kept = try #require(dataset.sealedHead())
    #expect(try kept == items[1] && box.open(kept) == head(2))
    // It is no head of the dataset, and what is damaged is nothing.
    #expect(try dataset.head() == nil)
    try WholeFile.write([1, 2, 3], to: dataset.path + Array("/head.sealed".utf8))
    #expect(dataset.sealedHead() == nil)
    try dataset.keep(sealed: items[0])
    #expect(dataset.sealedHead() == items[0])
  }

  @Test func aSaltedHeadSurvivesTheDisk() throws {
    let dataset = try dataset()
    let salted = try Head(
      version: .max, infohash: SHA256Digest(hashing: [1]), signedBy: try secret(),
      salt: [UInt8](repeating: 0xFF, count: ItemLimits.saltBytes))
    #expect(try dataset.keep(head: salted) == .kept)
    #expect(try dataset.head() == salted)
  }

  /// Whoever took a damaged head for none would publish a number twice.
  @Test func aDamagedHeadIsAnErrorAndAnyReplacesIt() throws {
    let dataset = try dataset()
    let right = try head(3)
    _ = try dataset.keep(head: right)
    let bytes = right.item.stored
    let foreign = try MutableItem(
      signedBy: try secret(2), sequence: 3, value: right.item.value)
    var forged = bytes
    forged[forged.count - 2] ^= 1
    for bad in [[], [0], Array(bytes.dropLast()), forged, foreign.stored] as [[UInt8]] {
      try WholeFile.write(bad, to: dataset.headPath)
      #expect(throws: SystemError.self) { try dataset.head() }
    }
    // An older one is enough to follow, and not to publish.
    #expect(try dataset.keep(head: try head(1)) == .kept)
    #expect(throws: SystemError.self) { try dataset.head() }
    #expect(try dataset.followedHead { _ in } == (try head(1)))
    #expect(try dataset.keep(head: right) == .kept)
    #expect(try dataset.head() == right)
  }

  /// Who follows goes on with a line; who publishes does not, until a right one came.
  @Test func aDamagedHeadIsSetAsideByWhoFollows() throws {
    let dataset = try dataset()
    _ = try dataset.keep(head: try head(3))
    let damaged = [UInt8](repeating: 7, count: 40)
    try WholeFile.write(damaged, to: dataset.headPath)
    var lines: [String] = []
    #expect(try dataset.followedHead { lines.append($0) } == nil)
    #expect(lines.count == 1 && lines[0].contains("head.damaged"))
    #expect(try dataset.followedHead { lines.append($0) } == nil)
    #expect(lines.count == 1)
    let aside = dataset.path + Array("/head.damaged".utf8)
    #expect(try WholeFile.read(aside, limit: 100) == damaged)
    #expect(throws: SystemError.self) { try dataset.head() }
    #expect(try dataset.keep(head: try head(2)) == .kept)
    #expect(throws: SystemError.self) { try dataset.head() }
    #expect(try dataset.followedHead { lines.append($0) }?.version == 2 && lines.count == 1)
    #expect(try dataset.keep(head: try head(3)) == .kept)
    #expect(try dataset.head()?.version == 3)
    // One that is far too long, and one that cannot be read, which is another matter.
    try WholeFile.write([UInt8](repeating: 7, count: 5_000), to: dataset.headPath)
    #expect(try dataset.followedHead { lines.append($0) } == nil && lines.count == 2)
    try StateFolder.make(dataset.headPath)
    #expect(throws: SystemError.self) { try dataset.followedHead { lines.append($0) } }
    #expect(lines.count == 2)
  }

  /// The head vouches for the version that it leads to, also where a stop came between the two files.
  @Test func aHeadMakesItsVersionKnown() throws {
    let dataset = try dataset()
    let digest = SHA256Digest(hashing: [1])
    try dataset.keep(version: 5, infohash: SHA256Digest(hashing: [9]))
    _ = try dataset.keep(head: try head(5, 1))
    #expect(dataset.version(5) == digest)
    let file = dataset.path + Array("/versions/5".utf8)
    #expect(file.withCPath { unlink($0) } == 0)
    #expect(try dataset.keep(head: try head(5, 1)) == .known)
    #expect(dataset.version(5) == digest)
    _ = try dataset.keep(head: try head(5, 2))
    _ = try dataset.keep(head: try head(4, 2))
    #expect(try dataset.version(5) == digest && dataset.versions() == [5])
  }

  @Test func versionsAreKnownByTheirNumbers() throws {
    let dataset = try dataset()
    #expect(try dataset.versions().isEmpty)
    let digests = (0..<3).map { SHA256Digest(hashing: [UInt8($0)]) }
    for (number, digest) in [(UInt64(2), digests[0]), (10, digests[1]), (1, digests[2])] {
      try dataset.keep(version: number, infohash: digest)
    }
    try dataset.keep(version: 2, infohash: digests[1])
    for name in ["0", "03", "x", "-1", "4.torrent"] {
      temporary.write(
        Array((digests[0].hex + "\n").utf8), to: "state/datasets/\(dataset.key)/versions/\(name)")
    }
    temporary.write([1], to: "state/datasets/\(dataset.key)/versions/5")
    #expect(try dataset.versions() == [1, 2, 10])
    #expect([1, 2, 5, 10].map(dataset.version) == [digests[2], digests[1], nil, digests[1]])
  }

  @Test func onePublishesAtATime() throws {
    let dataset = try dataset()
    do {
      let lock = try dataset.lockForPublishing()
      #expect(throws: StateError.self) { try dataset.lockForPublishing() }
      // Heads come in all the same.
      #expect(try dataset.keep(head: try head(1)) == .kept)
      withExtendedLifetime(lock) {}
    }
    _ = try dataset.lockForPublishing()
  }
}
