import Testing

@testable import Metainfo

/// One thing that is wrong with an otherwise right info dictionary, and the error it must give.
struct BadInfo: CustomTestStringConvertible, Sendable {
  let name: String
  let kind: TorrentKind
  let place: MetainfoPlace
  let reason: MetainfoFault
  let change: @Sendable (inout BencodeValue) -> Void

  init(
    _ name: String, _ kind: TorrentKind, _ place: MetainfoPlace, _ reason: MetainfoFault,
    change: @escaping @Sendable (inout BencodeValue) -> Void
  ) {
    self.name = name
    self.kind = kind
    self.place = place
    self.reason = reason
    self.change = change
  }

  var testDescription: String { "\(kind): \(name)" }
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private let longName = String(repeating: "n", count: 256)
private let huge: Int64 = 1 << 48

@Suite struct BadInfoTests {
  private static let tooMany = BencodeValue.list(
    [BencodeValue](repeating: .text("x"), count: MetainfoLimits.listEntries + 1))

  static let shared: [BadInfo] = TorrentKind.allCases.flatMap { kind in
    [
      BadInfo("no name", kind, .info, .missing("name")) { $0["name"] = nil },
      BadInfo("name a number", kind, .info, .wrongKind("name", expected: .string)) {
        $0["name"] = .integer(1)
      },
      BadInfo("name ..", kind, .info, .path(.dots)) { $0["name"] = .text("..") },
      BadInfo("name with /", kind, .info, .path(.slash)) { $0["name"] = .text("/etc") },
      BadInfo("name empty", kind, .info, .path(.empty)) { $0["name"] = .text("") },
      BadInfo("no piece length", kind, .info, .missing("piece length")) {
        $0["piece length"] = nil
      },
      BadInfo("piece length 0", kind, .info, .pieceLengthTooSmall(0)) {
        $0["piece length"] = .integer(0)
      },
      BadInfo("piece length negative", kind, .info, .pieceLengthTooSmall(-16_384)) {
        $0["piece length"] = .integer(-16_384)
      },
      BadInfo("piece length 1 GiB", kind, .info, .pieceLengthTooLarge(1 << 30)) {
        $0["piece length"] = .integer(1 << 30)
      },
      BadInfo("too many collections", kind, .info, .tooManyEntries("collections")) {
        $0["collections"] = tooMany
      },
      BadInfo("too many similar torrents", kind, .info, .tooManyEntries("similar")) {
        $0["similar"] = tooMany
      },
      BadInfo("private text", kind, .info, .wrongKind("private", expected: .integer)) {
        $0["private"] = .text("1")
      },
    ]
  }

  static let v2: [BadInfo] = [
    BadInfo("meta version 3", .v2, .info, .metaVersion(3)) {
      $0["meta version"] = .integer(3)
      $0["piece length"] = nil  // The version is looked at first.
    },
    BadInfo("meta version 1", .v2, .info, .metaVersion(1)) { $0["meta version"] = .integer(1) },
    BadInfo("no meta version", .v2, .info, .treeWithoutMetaVersion) { $0["meta version"] = nil },
    BadInfo("piece length 8 KiB", .v2, .info, .pieceLengthTooSmall(8_192)) {
      $0["piece length"] = .integer(8_192)
    },
    BadInfo("piece length 48 KiB", .hybrid, .info, .pieceLengthNotPowerOfTwo(49_152)) {
      $0["piece length"] = .integer(49_152)
    },
    BadInfo("no tree", .v2, .info, .missing("file tree")) { $0["file tree"] = nil },
    BadInfo("tree a list", .v2, .info, .wrongKind("file tree", expected: .dictionary)) {
      $0["file tree"] = .list([])
    },
    BadInfo("tree empty", .v2, .info, .noFiles) { $0["file tree"] = [:] },
    BadInfo("tree of folders", .v2, .info, .noFiles) { $0["file tree"] = ["a": ["b": [:]]] },
    BadInfo("root is a file", .v2, .tree([[]]), .path(.empty)) {
      $0["file tree"] = Samples.leaf(5)
    },
    BadInfo("file and folder", .v2, .tree([bytes("b")]), .fileAndFolder(bytes("b"))) {
      $0["file tree"]?["b"]?[""] = ["length": .integer(0)]
    },
    BadInfo("entry a number", .v2, .tree([bytes("b")]), .wrongKind("", expected: .dictionary)) {
      $0["file tree"]?["b"] = .integer(1)
    },
    BadInfo("leaf a list", .v2, .tree([bytes("a")]), .wrongKind("", expected: .dictionary)) {
      $0["file tree"]?["a"]?[""] = .list([])
    },
    BadInfo("..", .v2, .tree([bytes("b"), bytes("..")]), .path(.dots)) {
      $0["file tree"]?["b"]?[".."] = Samples.leaf(1)
    },
    BadInfo(".", .v2, .tree([bytes(".")]), .path(.dots)) {
      $0["file tree"]?["."] = Samples.leaf(1)
    },
    BadInfo("absolute", .v2, .tree([bytes("/x")]), .path(.slash)) {
      $0["file tree"]?["/x"] = Samples.leaf(1)
    },
    BadInfo("NUL", .v2, .tree([bytes("x\0")]), .path(.nul)) {
      $0["file tree"]?["x\0"] = Samples.leaf(1)
    },
    BadInfo("over-long name", .v2, .tree([bytes(longName)]), .path(.elementTooLong(256))) {
      $0["file tree"]?[longName] = Samples.leaf(1)
    },
    BadInfo("no length", .v2, .tree([bytes("a")]), .missing("length")) {
      $0["file tree"]?["a"]?[""]?["length"] = nil
    },
    BadInfo("length text", .v2, .tree([bytes("a")]), .wrongKind("length", expected: .integer)) {
      $0["file tree"]?["a"]?[""]?["length"] = .text("5")
    },
    BadInfo("length negative", .v2, .tree([bytes("a")]), .negative("length", -1)) {
      $0["file tree"]?["a"]?[""]?["length"] = .integer(-1)
    },
    BadInfo("too long", .v2, .info, .contentTooLong) {
      $0["file tree"]?["a"]?[""]?["length"] = .integer(huge)
    },
    BadInfo("sum past 64 bits", .v2, .info, .contentTooLong) {
      for name in ["a", "b", "c"] { $0["file tree"]?[name] = Samples.leaf(.max) }
    },
    BadInfo("too many pieces", .v2, .info, .tooManyPieces) {
      $0["file tree"]?["a"]?[""]?["length"] = .integer(1 << 39)
    },
    BadInfo("too many blocks", .v2, .info, .tooManyPieces) {
      $0["piece length"] = .integer(1 << 29)
      $0["file tree"]?["a"]?[""]?["length"] = .integer(1 << 47)
    },
    BadInfo("no root", .v2, .tree([bytes("a")]), .missing("pieces root")) {
      $0["file tree"]?["a"]?[""]?["pieces root"] = nil
    },
    BadInfo("short root", .v2, .tree([bytes("a")]), .digestLength("pieces root", 31)) {
      $0["file tree"]?["a"]?[""]?["pieces root"] = .string([UInt8](repeating: 7, count: 31))
    },
    BadInfo("zero root", .v2, .tree([bytes("a")]), .zeroRoot) {
      $0["file tree"]?["a"] = Samples.leaf(5, root: 0)
    },
    BadInfo("padding", .v2, .tree([bytes("a")]), .paddingInTree) {
      $0["file tree"]?["a"]?[""]?["attr"] = .text("xp")
    },
    BadInfo("symlink without target", .v2, .tree([bytes("e")]), .missing("symlink path")) {
      $0["file tree"]?["e"]?[""]?["attr"] = .text("l")
    },
    BadInfo("symlink with empty target", .v2, .tree([bytes("l")]), .missing("symlink path")) {
      $0["file tree"]?["l"] = Samples.link()
    },
    BadInfo("symlink with length", .v2, .tree([bytes("a")]), .symlinkWithLength) {
      $0["file tree"]?["a"]?[""]?["attr"] = .text("l")
    },
    BadInfo("symlink outside", .v2, .tree([bytes("b"), bytes("l")]), .symlinkOutside) {
      $0["file tree"]?["b"]?["l"] = Samples.link("..", "..", "a")
    },
    BadInfo("symlink outside and back", .v2, .tree([bytes("b"), bytes("l")]), .symlinkOutside) {
      $0["file tree"]?["b"]?["l"] = Samples.link("..", "..", "t", "a")
    },
    BadInfo("symlink to the top", .v2, .tree([bytes("l")]), .symlinkOutside) {
      $0["file tree"]?["l"] = Samples.link(".")
    },
    BadInfo("symlink absolute", .v2, .tree([bytes("l")]), .path(.slash)) {
      $0["file tree"]?["l"] = Samples.link("/etc/passwd")
    },
    BadInfo(
      "symlink part a number", .v2, .tree([bytes("l")]),
      .wrongKind("symlink path", expected: .string)
    ) {
      $0["file tree"]?["l"] = ["": ["attr": .text("l"), "symlink path": .list([.integer(1)])]]
    },
  ]

  static let v1: [BadInfo] = [
    BadInfo("no files", .v1, .info, .missing("length")) { $0["files"] = nil },
    BadInfo("files a dictionary", .v1, .info, .wrongKind("files", expected: .list)) {
      $0["files"] = [:]
    },
    BadInfo("files empty", .v1, .info, .noFiles) { $0["files"] = .list([]) },
    BadInfo("only padding", .v1, .info, .noFiles) {
      $0["files"] = .list([Samples.padding(1)])
    },
    BadInfo("length and files", .v1, .info, .lengthAndFiles) { $0["length"] = .integer(20_005) },
    BadInfo("entry a list", .v1, .file(1), .wrongKind("", expected: .dictionary)) {
      $0["files"]?[1] = .list([])
    },
    BadInfo("no length", .v1, .file(1), .missing("length")) { $0["files"]?[1]?["length"] = nil },
    BadInfo("negative length", .v1, .file(1), .negative("length", -20_000)) {
      $0["files"]?[1]?["length"] = .integer(-20_000)
    },
    BadInfo("sum past 64 bits", .v1, .info, .contentTooLong) {
      $0["files"]?[0]?["length"] = .integer(.max)
      $0["files"]?[1]?["length"] = .integer(.max)
    },
    BadInfo("no path", .v1, .file(0), .missing("path")) { $0["files"]?[0]?["path"] = nil },
    BadInfo("empty path", .v1, .file(0), .path(.empty)) {
      $0["files"]?[0]?["path"] = .list([])
    },
    BadInfo("..", .v1, .filePart(1, part: 0), .path(.dots)) {
      $0["files"]?[1]?["path"] = .list([.text(".."), .text("c")])
    },
    BadInfo("empty part", .v1, .filePart(1, part: 1), .path(.empty)) {
      $0["files"]?[1]?["path"] = .list([.text("b"), .text("")])
    },
    BadInfo("slash", .v1, .filePart(0, part: 0), .path(.slash)) {
      $0["files"]?[0]?["path"] = .list([.text("/a")])
    },
    BadInfo("part a number", .v1, .filePart(1, part: 1), .wrongKind("", expected: .string)) {
      $0["files"]?[1]?["path"]?[1] = .integer(1)
    },
    BadInfo("too deep", .v1, .file(0), .path(.tooDeep(129))) {
      $0["files"]?[0]?["path"] = .list([BencodeValue](repeating: .text("a"), count: 129))
    },
    BadInfo("too long", .v1, .file(0), .path(.tooLong(3_599))) {
      let part = BencodeValue.text(String(repeating: "n", count: 239))
      $0["files"]?[0]?["path"] = .list([BencodeValue](repeating: part, count: 15))
    },
    BadInfo("path twice", .v1, .info, .duplicatePath(bytes("a"))) {
      $0["files"]?[2]?["path"] = .list([.text("a")])
    },
    BadInfo("file and folder", .v1, .info, .fileAndFolder(bytes("b"))) {
      $0["files"]?[2]?["path"] = .list([.text("b")])
    },
    BadInfo("file and folder, far apart", .v1, .info, .fileAndFolder(bytes("a"))) {
      $0["files"]?[2]?["path"] = .list([.text("a"), .text("b"), .text("c")])
    },
    BadInfo("symlink as folder", .v1, .info, .fileAndFolder(bytes("b"))) {
      $0["files"]?[2] = [
        "attr": .text("l"), "path": .list([.text("b")]), "symlink path": .list([.text("a")]),
      ]
    },
    BadInfo("symlink outside, behind padding", .v1, .file(1), .symlinkOutside) {
      $0["files"]?[0] = Samples.padding(5)
      $0["files"]?[1] = [
        "attr": .text("l"), "path": .list([.text("l")]), "symlink path": .list([.text("..")]),
      ]
    },
    BadInfo("symlink with an empty part", .v1, .file(2), .path(.empty)) {
      $0["files"]?[2] = [
        "attr": .text("l"), "path": .list([.text("l")]),
        "symlink path": .list([.text("b"), .text(""), .text("c")]),
      ]
    },
    BadInfo("no pieces", .v1, .info, .missing("pieces")) { $0["pieces"] = nil },
    BadInfo("part of a hash", .v1, .info, .digestLength("pieces", 41)) {
      $0["pieces"] = .string([UInt8](repeating: 9, count: 41))
    },
    BadInfo("a hash too few", .v1, .info, .pieceCount(expected: 2, actual: 1)) {
      $0["pieces"] = Samples.pieces(1)
    },
    BadInfo("a hash too many", .v1, .info, .pieceCount(expected: 2, actual: 3)) {
      $0["pieces"] = Samples.pieces(3)
    },
    BadInfo("too many pieces", .v1, .info, .tooManyPieces) {
      $0["piece length"] = .integer(1)
      $0["files"]?[1]?["length"] = .integer(1 << 24)
    },
  ]

  static let hybrid: [BadInfo] = [
    BadInfo("pieces alone", .hybrid, .info, .missing("length")) { $0["files"] = nil },
    BadInfo("files alone", .hybrid, .info, .missing("pieces")) { $0["pieces"] = nil },
    BadInfo("single against folder", .hybrid, .info, .halvesDisagree(.fileCount(v1: 1, v2: 3))) {
      $0["files"] = nil
      $0["length"] = .integer(5)
    },
    BadInfo("a file more", .hybrid, .info, .halvesDisagree(.fileCount(v1: 4, v2: 3))) {
      $0["files"]?[1] = Samples.file(16_379, "ab")
    },
    BadInfo("another name", .hybrid, .info, .halvesDisagree(.path(0))) {
      $0["files"]?[0]?["path"] = .list([.text("A")])
    },
    BadInfo("another order", .hybrid, .info, .halvesDisagree(.path(0))) {
      let first = $0["files"]?[0]
      let last = $0["files"]?[4]
      $0["files"]?[0] = last
      $0["files"]?[4] = first
    },
    BadInfo("another length", .hybrid, .info, .halvesDisagree(.length(0))) {
      $0["files"]?[0]?["length"] = .integer(6)
      $0["files"]?[1]?["length"] = .integer(16_378)
    },
    BadInfo("no padding", .hybrid, .info, .halvesDisagree(.offset(1))) { $0["files"]?[1] = nil },
    BadInfo("padding too short", .hybrid, .info, .halvesDisagree(.offset(1))) {
      $0["files"]?[1]?["length"] = .integer(16_378)
    },
    BadInfo("padding a piece too long", .hybrid, .info, .halvesDisagree(.offset(1))) {
      $0["files"]?[1]?["length"] = .integer(16_379 + 16_384)
    },
    BadInfo("tail padding too short", .hybrid, .info, .halvesDisagree(.end)) {
      $0["files"]?[3]?["length"] = .integer(12_767)
    },
    BadInfo("tail padding too long", .hybrid, .info, .halvesDisagree(.end)) {
      $0["files"]?[3]?["length"] = .integer(12_768 + 16_384)
    },
    BadInfo("symlink in one half", .hybrid, .info, .halvesDisagree(.symlink(2))) {
      $0["files"]?[4]?["attr"] = .text("l")
      $0["files"]?[4]?["symlink path"] = .list([.text("a")])
    },
    BadInfo("a hash too few", .hybrid, .info, .pieceCount(expected: 3, actual: 2)) {
      $0["pieces"] = Samples.pieces(2)
    },
  ]

  @Test(arguments: shared + v2 + v1 + hybrid)
  func names(bad: BadInfo) {
    var info = Samples.sample(bad.kind)
    let right = info
    bad.change(&info)
    #expect(info != right)
    #expect(throws: MetainfoError(bad.place, bad.reason)) {
      try InfoDictionary(parsing: info.encoded)
    }
    // The same inside a torrent.
    let torrent: BencodeValue = ["info": info]
    #expect(throws: MetainfoError(bad.place, bad.reason)) {
      try Torrent.inspect(torrent.encoded)
    }
  }

  @Test func describesPlaceAndReason() {
    #expect(
      "\(MetainfoError(.filePart(3, part: 2), .path(.dots)))"
        == "file 3, part 2: the name is \".\" or \"..\"")
    #expect(
      "\(MetainfoError(.tree([bytes("b"), bytes("..")]), .path(.dots)))"
        == "file tree \"b/..\": the name is \".\" or \"..\"")
    #expect(
      "\(MetainfoError(.info, .bencode(BencodeError(offset: 7, reason: .unsortedKey))))"
        == "info dictionary: byte 7: a dictionary key is not in order")
  }

  @Test(arguments: TorrentKind.allCases)
  func refusesEveryTruncation(kind: TorrentKind) {
    let bytes = Samples.sample(kind).encoded
    for count in 0..<bytes.count {
      #expect {
        try InfoDictionary(parsing: Array(bytes.prefix(count)))
      } throws: {
        guard case .bencode(let error) = ($0 as? MetainfoError)?.reason else { return false }
        if case .stringPastEnd = error.reason { return true }
        return error.reason == .truncated
      }
    }
  }

  /// Every byte changed in several ways: parsing returns or throws, and what it accepts keeps the
  /// invariants.
  @Test(arguments: TorrentKind.allCases)
  func survivesEveryChangedByte(kind: TorrentKind) {
    let bytes = Samples.sample(kind).encoded
    for index in bytes.indices {
      for replacement in [bytes[index] ^ 1, bytes[index] ^ 0x80, 0, 0x65, 0x69, 0x39] as [UInt8] {
        var changed = bytes
        changed[index] = replacement
        guard let info = try? InfoDictionary(parsing: changed) else { continue }
        #expect(info.bytes == changed)
        #expect(!info.files.isEmpty)
        #expect(Set(info.files.map(\.path)).count == info.files.count)
      }
    }
  }

  @Test func boundsPathBytes() throws {
    // `a`, `b/c`, `e`: five bytes.
    let tree = try #require(Samples.v2()["file tree"])
    let node = try #require(try Bencode.decode(tree.encoded).dictionary)
    #expect(try FileTreeReader(node, pathBytes: 5).files.count == 3)
    #expect(throws: MetainfoError(.info, .pathsTooLong(4))) {
      try FileTreeReader(node, pathBytes: 4)
    }
  }

  /// A small tree whose paths would fill 70 MB.
  @Test func smallTreeWithLongPaths() throws {
    var folder: [[UInt8]: BencodeValue] = [:]
    for number in 0..<20_000 { folder[bytes("\(number)")] = Samples.leaf(0) }
    var tree = BencodeValue.dictionary(folder)
    for _ in 0..<14 { tree = [String(repeating: "n", count: 250): tree] }
    var info = Samples.v2()
    info["file tree"] = tree
    let size = info.encoded.count
    #expect(size < 1 << 19)
    #expect(
      throws: MetainfoError(
        .info, .pathsTooLong(MetainfoLimits.allPathBytes(infoBytes: size)))
    ) {
      try InfoDictionary(parsing: info.encoded)
    }
  }

  /// A message does not repeat a name of any length.
  @Test func cutsLongNamesShort() throws {
    var info = Samples.v2()
    info["file tree"]?[String(repeating: "n", count: 1_000_000)] = Samples.leaf(0)
    #expect {
      try InfoDictionary(parsing: info.encoded)
    } throws: {
      "\($0)".utf8.count < 400 && "\($0)".contains("the name has 1000000 bytes")
    }
  }

  @Test func takesTheDeepestTree() throws {
    var info = Samples.v2()
    var tree = Samples.link("x")
    for _ in 0..<128 { tree = ["f": tree] }
    info["file tree"] = tree
    let torrent: BencodeValue = ["info": info]
    #expect(try Torrent(parsing: torrent.encoded).info.files[0].path.elements.count == 128)
    info["file tree"] = ["f": tree]
    #expect(
      throws: MetainfoError(
        .tree([[UInt8]](repeating: [0x66], count: 129)), .path(.tooDeep(129)))
    ) {
      try InfoDictionary(parsing: info.encoded)
    }
  }
}
