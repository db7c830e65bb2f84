import Testing

@testable import Metainfo

@Suite struct InfoDictionaryTests {
  @Test(arguments: TorrentKind.allCases)
  func readsTheSamples(kind: TorrentKind) throws {
    let bytes = Samples.sample(kind).encoded
    let info = try InfoDictionary(parsing: bytes)
    #expect(info.kind == kind)
    #expect(info.bytes == bytes)
    #expect(info.infohashV1 == (kind.hasV1 ? SHA1Digest(hashing: bytes) : nil))
    #expect(info.infohashV2 == (kind.hasV2 ? SHA256Digest(hashing: bytes) : nil))
    #expect(info.name.bytes == Array("t".utf8))
    #expect(info.pieceLength == 16_384)
    #expect(!info.isSingleFile)
    #expect(info.files.map(\.path.description) == ["a", "b/c", "e"])
    #expect(info.files.map(\.length) == [5, 20_000, 0])
    #expect(
      info.files.map { $0.piecesRoot != nil }
        == (kind.hasV2 ? [true, true, false] : [false, false, false]))
    #expect(info.contentLength == 20_005)
    #expect(info.v1Pieces.count == [.v1: 2, .v2: 0, .hybrid: 3][kind])
    switch kind {
    case .v1: #expect(info.v1Layout == V1Layout(offsets: [0, 5, 20_005], length: 20_005))
    case .v2: #expect(info.v1Layout == nil)
    case .hybrid: #expect(info.v1Layout == V1Layout(offsets: [0, 16_384, 49_152], length: 49_152))
    }
    #expect(!info.isPrivate)
  }

  @Test func keepsExactBytesInsideATorrent() throws {
    let info = Samples.v2()
    let torrent: BencodeValue = [
      "a": .text("before"), "info": info, "z": .text("behind"),
      "piece layers": [:],
    ]
    #expect(try Torrent.inspect(torrent.encoded).torrent.info.bytes == info.encoded)
  }

  /// What a v2 torrent with this file tree is: BEP 52, "Interpreting paths".
  @Test func tellsSingleFiles() throws {
    func isSingle(_ tree: BencodeValue) throws -> Bool {
      var info = Samples.v2()
      info["file tree"] = tree
      return try InfoDictionary(parsing: info.encoded).isSingleFile
    }
    #expect(try isSingle(["t": Samples.leaf(1)]))
    #expect(try isSingle(["other": Samples.leaf(1)]))
    #expect(try !isSingle(["t": ["a": Samples.leaf(1)]]))
    #expect(try !isSingle(["t": Samples.leaf(1), "u": Samples.leaf(1)]))
  }

  @Test func hybridOfOneFile() throws {
    var info = Samples.v2()
    info["file tree"] = ["t": Samples.leaf(5)]
    info["pieces"] = Samples.pieces(1)
    info["length"] = .integer(5)
    info["attr"] = .text("x")
    #expect(try InfoDictionary(parsing: info.encoded).isSingleFile)
    // The v1 half says by its key what the tree leaves open.
    info["length"] = nil
    info["files"] = .list([Samples.file(5, "t")])
    #expect(try !InfoDictionary(parsing: info.encoded).isSingleFile)
  }

  /// BEP 52 lets the name of a v2 torrent be anything, that of its only file too. Found by the
  /// metainfo fuzzer when we held them to be the same.
  @Test func singleFileUnderAnotherName() throws {
    var info = Samples.v2()
    info["file tree"] = ["other": Samples.leaf(5)]
    let parsed = try InfoDictionary(parsing: info.encoded)
    #expect(parsed.isSingleFile)
    #expect(parsed.name.bytes == Array("t".utf8))
    #expect(parsed.files.map(\.path.description) == ["other"])
  }

  /// The first libtorrent 2.0 wrote 32 zeros as the root of an empty file, and read none without one;
  /// other values mean as little.
  @Test(arguments: [0, 7, nil] as [UInt8?])
  func rootOfAnEmptyFile(byte: UInt8?) throws {
    for kind in [TorrentKind.v2, .hybrid] {
      var info = Samples.sample(kind)
      info["file tree"]?["e"]?[""]?["pieces root"] =
        byte.map { .string([UInt8](repeating: $0, count: 32)) } ?? .text("")
      let parsed = try InfoDictionary(parsing: info.encoded)
      #expect(parsed.files.map { $0.piecesRoot != nil } == [true, true, false])
    }
  }

  /// BitComet's padding files have no attribute, but a name by which libtorrent knows them.
  @Test func paddingOfBitComet() throws {
    var info = Samples.v1()
    info["files"]?[0] = Samples.file(
      16_379, "b",
      "_____padding_file_0_if you see this file, please update to BitComet 0.85 or above____")
    info["pieces"] = Samples.pieces(3)
    let parsed = try InfoDictionary(parsing: info.encoded)
    #expect(parsed.files.map(\.path.description) == ["b/c", "e"])
    #expect(parsed.v1Layout == V1Layout(offsets: [16_379, 36_379], length: 36_379))
  }

  @Test func hybridWithoutTailPadding() throws {
    var info = Samples.hybrid()
    info["files"]?[3] = nil
    let parsed = try InfoDictionary(parsing: info.encoded)
    #expect(parsed.v1Layout == V1Layout(offsets: [0, 16_384, 36_384], length: 36_384))
  }

  @Test func paddingAnywhereInV1() throws {
    var info = Samples.v1()
    info["files"] = .list([
      Samples.padding(7), Samples.file(5, "a"), Samples.padding(1), Samples.padding(2),
      // A padding file's path is nobody's business.
      ["attr": .text("p"), "length": .integer(3), "path": .list([.text("..")])],
      Samples.file(1, ".pad", "1"),
    ])
    info["pieces"] = Samples.pieces(1)
    let parsed = try InfoDictionary(parsing: info.encoded)
    #expect(parsed.v1Layout == V1Layout(offsets: [7, 18], length: 19))
    #expect(parsed.files.map(\.path.description) == ["a", ".pad/1"])
  }

  @Test func attributes() throws {
    var info = Samples.v2()
    info["file tree"]?["a"]?[""]?["attr"] = .text("?xyh")
    info["file tree"]?["e"]?[""]?["attr"] = .text("")
    info["file tree"]?["l"] = ["": ["attr": .text("lx"), "symlink path": .list([.text("a")])]]
    let files = try InfoDictionary(parsing: info.encoded).files
    #expect(files.map(\.attributes) == [[.executable, .hidden], [], [], .executable])
    #expect(files.map { $0.symlinkTarget?.description } == [nil, nil, nil, "a"])
  }

  /// Link, names in `symlink path`, target as read. BEP 47 reads from the top; libtorrent 2.0
  /// wrote the text of the link, which reads from the link's folder.
  @Test(arguments: [
    (["l"], ["a"], "a"),
    (["l"], ["b"], "b"),
    (["b", "l"], ["b", "c"], "b/c"),
    (["b", "l"], ["a"], "a"),
    (["b", "l"], ["c"], "b/c"),
    (["b", "l"], ["..", "a"], "a"),
    (["b", "l"], ["..", "b", "c"], "b/c"),
    (["b", "l"], [".", "c"], "b/c"),
    (["b", "l"], ["..", "nowhere"], "nowhere"),
    (["b", "l"], ["nowhere", "x"], "nowhere/x"),
    // Both readings mean something: the one of BEP 47 is taken.
    (["b", "b", "l"], ["b"], "b"),
    (["l"], ["l"], "l"),
  ])
  func symlinks(path: [String], target: [String], expected: String) throws {
    var link: BencodeValue = [
      "": ["attr": .text("l"), "symlink path": .list(target.map { .text($0) })]
    ]
    for name in path.dropFirst().reversed() { link = [name: link] }
    var info = Samples.v2()
    if path.count == 1 {
      info["file tree"]?[path[0]] = link
    } else {
      info["file tree"]?["b"]?[path[1]] = link[path[1]]
    }
    let files = try InfoDictionary(parsing: info.encoded).files
    let entry = try #require(files.first { $0.symlinkTarget != nil })
    #expect(entry.path.description == path.joined(separator: "/"))
    #expect(entry.symlinkTarget?.description == expected)
    #expect(entry.length == 0)
  }

  @Test func oldNamesInUTF8() throws {
    var info = Samples.v1()
    info["name"] = .string([0xe9])
    info["name.utf-8"] = .text("é")
    info["files"]?[0]?["path"] = .list([.string([0xe8])])
    info["files"]?[0]?["path.utf-8"] = .list([.text("è")])
    // Of no use, so not used.
    info["files"]?[1]?["path.utf-8"] = .list([.text("..")])
    info["files"]?[2]?["path.utf-8"] = .list([.string([0xff])])
    let parsed = try InfoDictionary(parsing: info.encoded)
    #expect(parsed.name.description == "é")
    #expect(parsed.files.map(\.path.description) == ["è", "b/c", "e"])
    info["name.utf-8"] = .string([0xff])
    #expect(try InfoDictionary(parsing: info.encoded).name.bytes == [0xe9])
  }

  @Test func namesThatDifferInCaseOrForm() throws {
    var info = Samples.v2()
    // NFC and NFD, which Swift's String holds to be the same.
    info["file tree"] = .dictionary([
      [0x41]: Samples.leaf(0), [0x61]: Samples.leaf(0), [0xc3, 0xa9]: Samples.leaf(0),
      [0x65, 0xcc, 0x81]: Samples.leaf(0), [0xff, 0xfe]: Samples.leaf(0),
    ])
    let files = try InfoDictionary(parsing: info.encoded).files
    #expect(
      files.map(\.path.bytes) == [
        [0x41], [0x61], [0x65, 0xcc, 0x81], [0xc3, 0xa9], [0xff, 0xfe],
      ])
  }

  @Test func theRest() throws {
    var info = Samples.v1()
    info["private"] = .integer(1)
    info["source"] = .text("s")
    info["similar"] = .list([
      .string([UInt8](repeating: 1, count: 20)), .text("short"), .integer(1),
    ])
    info["collections"] = .list([.text("c"), .integer(1)])
    info["swarm"] = ["version": .integer(2)]
    let parsed = try InfoDictionary(parsing: info.encoded)
    #expect(parsed.isPrivate)
    #expect(parsed.source == Array("s".utf8))
    #expect(parsed.similar == [SHA1Digest([UInt8](repeating: 1, count: 20))])
    #expect(parsed.collections == [Array("c".utf8)])
    #expect(parsed.value(for: "swarm") == ["version": .integer(2)])
    #expect(parsed.value(for: "absent") == nil)
    info["private"] = .integer(0)
    #expect(try !InfoDictionary(parsing: info.encoded).isPrivate)
  }

  @Test func oddPieceLengthsInV1() throws {
    var info = Samples.v1()
    info["piece length"] = .integer(1_000)
    info["pieces"] = Samples.pieces(21)
    #expect(try InfoDictionary(parsing: info.encoded).pieceLength == 1_000)
  }

  @Test func nothingButEmptyFiles() throws {
    var info = Samples.v2()
    info["file tree"] = ["e": Samples.leaf(0), "f": Samples.leaf(0)]
    info["files"] = .list([Samples.file(0, "e"), Samples.file(0, "f")])
    info["pieces"] = Samples.pieces(0)
    let parsed = try InfoDictionary(parsing: info.encoded)
    #expect(parsed.contentLength == 0)
    #expect(parsed.v1Pieces.isEmpty)
  }
}
