import TestSupport
import Testing

@testable import Metainfo

@Suite struct VersionInfoTests {
  private func digest(_ byte: UInt8) -> SHA256Digest { SHA256Digest(hashing: [byte]) }

  private func description(_ version: VersionInfo?) throws -> TorrentDescription {
    let name = try PathElement(Array("a".utf8))
    var description = TorrentDescription(
      kind: .v2, name: name, isSingleFile: true, pieceLength: 16_384,
      files: [FileEntry(path: try ContentPath([name]), length: 1, piecesRoot: digest(0))])
    description.version = version
    return description
  }

  /// What is read where `swarm` is that value.
  private func read(_ value: BencodeValue) throws -> VersionInfo? {
    var description = try description(nil)
    description.extraInfo[Array("swarm".utf8)] = value
    return try description.infoDictionary().version
  }

  private func fields(_ changes: [String: BencodeValue?] = [:]) -> BencodeValue {
    var pairs: [String: BencodeValue] = [
      "version": .integer(3), "previous": .string(digest(1).bytes),
      "created": .integer(1_790_000_000),
      "message": .text("new runs"),
      "parent": .dictionary([
        Array("key".utf8): .string(digest(2).bytes),
        Array("infohash".utf8): .string(digest(3).bytes),
      ]),
    ]
    for (key, value) in changes { pairs[key] = value }
    return .dictionary(
      Dictionary(uniqueKeysWithValues: pairs.map { (Array($0.key.utf8), $0.value) }))
  }

  @Test func whatIsWrittenIsRead() throws {
    let key = try #require(DatasetKey(digest(2).bytes))
    let versions = [
      VersionInfo(number: 1), VersionInfo(number: 1, created: -5, message: "ü\n"),
      VersionInfo(number: VersionInfo.mostVersions, previous: digest(1)),
      VersionInfo(
        number: 3, previous: digest(1),
        parent: VersionInfo.Parent(key: key, infohash: digest(3)), created: 1_790_000_000,
        message: "new runs"),
      VersionInfo(
        number: 2, message: String(repeating: "m", count: VersionInfo.messageBytes)),
    ]
    var infohashes: Set<SHA256Digest?> = [try description(nil).infoDictionary().infohashV2]
    for version in versions {
      let version = try #require(version)
      let info = try description(version).infoDictionary()
      #expect(info.version == version)
      #expect(try InfoDictionary(parsing: info.bytes).version == version)
      infohashes.insert(info.infohashV2)
    }
    #expect(infohashes.count == versions.count + 1)
    #expect(try read(fields()) == versions[3])
    #expect(try description(nil).infoDictionary().version == nil)
  }

  @Test func whatIsNoVersionCannotBeMade() {
    #expect(VersionInfo(number: 0) == nil)
    #expect(VersionInfo(number: VersionInfo.mostVersions + 1) == nil)
    #expect(VersionInfo(number: 1, previous: digest(1)) == nil)
    #expect(
      VersionInfo(
        number: 1, message: String(repeating: "m", count: VersionInfo.messageBytes + 1)) == nil)
  }

  /// Other programs may use the key; what is of another form is no version and no error.
  @Test func otherUsesOfTheKeyAreNoFault() throws {
    for value: BencodeValue in [
      .integer(3), .text("3"), .list([]), .dictionary([:]),
      fields(["version": nil as BencodeValue?]), fields(["version": .integer(0)]),
      fields(["version": .integer(-3)]), fields(["version": .integer(.min)]),
      fields(["version": .text("3")]), fields(["version": .integer(1)]),
      fields(["previous": .string(Array(digest(1).bytes.dropLast()))]),
      fields(["previous": .integer(1)]), fields(["previous": .string([])]),
      fields(["parent": .text("x")]), fields(["parent": .dictionary([:])]),
      fields(["parent": .dictionary([Array("key".utf8): .string(digest(2).bytes)])]),
      fields(["created": .text("now")]), fields(["message": .integer(1)]),
      fields(["message": .string([0xFF])]),
      fields(["message": .string(Array(repeating: 0x6D, count: VersionInfo.messageBytes + 1))]),
    ] {
      #expect(try read(value) == nil, "\(value)")
    }
    #expect(try read(fields(["more": .list([.integer(1)])]))?.number == 3)
    #expect(try read(fields(["previous": nil as BencodeValue?]))?.previous == nil)
  }

  @Test func theKeyIsWrittenOnce() throws {
    var description = try description(VersionInfo(number: 1))
    description.extraInfo[Array("swarm".utf8)] = .integer(1)
    #expect(throws: MetainfoError.self) { try description.infoDictionary() }
  }
}
