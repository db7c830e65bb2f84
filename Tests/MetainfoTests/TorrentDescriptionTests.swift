import TestSupport
import Testing

@testable import Metainfo

@Suite struct TorrentDescriptionTests {
  @Test(arguments: 0..<40 as Range<UInt64>, TorrentKind.allCases)
  func roundTrips(seed: UInt64, kind: TorrentKind) throws {
    var generator = SplitMix64(seed: seed)
    let description = Self.random(kind: kind, using: &generator)
    let made = try description.encoded()
    #expect(try description.encoded().bytes == made.bytes)
    let torrent = try Torrent(parsing: made.bytes)
    let info = torrent.info
    #expect(info.bytes == made.info.bytes)
    #expect(info.infohashV1 == made.info.infohashV1 && info.infohashV2 == made.info.infohashV2)
    #expect(info.kind == kind)
    #expect(info.name == description.name)
    #expect(info.pieceLength == description.pieceLength)
    #expect(info.files == description.files)
    #expect(info.v1Pieces == description.v1Pieces)
    #expect(info.v1Layout == (kind.hasV1 ? description.v1Layout : nil))
    #expect(torrent.pieceLayers == description.pieceLayers)
    #expect(info.isPrivate == description.isPrivate)
    #expect(torrent.trackers == description.trackers)
    #expect(torrent.webSeeds == description.webSeeds)
    #expect(torrent.comment == description.comment.map { Array($0.utf8) })
    #expect(torrent.creationDate == description.creationDate)
    #expect(info.value(for: "swarm") == description.extraInfo[Array("swarm".utf8)])
    if kind != .v2 { #expect(info.isSingleFile == description.isSingleFile) }
    // What is written is canonical.
    #expect(BencodeValue(try Bencode.decode(made.bytes, limits: .torrent)).encoded == made.bytes)
  }

  /// A valid description, with empty files, symlinks, attributes and odd names.
  static func random(
    kind: TorrentKind, using generator: inout SplitMix64
  ) -> TorrentDescription {
    let pieceLength = UInt32(16_384) << UInt32.random(in: 0...3, using: &generator)
    let isSingleFile = generator.oneIn(5)
    let name = element(&generator)
    var paths: [ContentPath] = isSingleFile ? [path([name])] : []
    while paths.isEmpty || (!isSingleFile && !generator.oneIn(6)) {
      var elements = paths.randomElement(using: &generator)?.elements.dropLast() ?? []
      elements += (0...Int.random(in: 0...2, using: &generator)).map { _ in element(&generator) }
      let new = elements
      let clashes = paths.contains {
        $0.elements.starts(with: new) || new.starts(with: $0.elements)
      }
      if !clashes { paths.append(path(Array(new))) }
    }
    paths.sort()
    var layers: PieceLayers = [:]
    let files = paths.map {
      entry($0, kind: kind, pieceLength: pieceLength, layers: &layers, using: &generator)
    }
    var description = TorrentDescription(
      kind: kind, name: name, isSingleFile: isSingleFile, pieceLength: pieceLength, files: files,
      pieceLayers: layers)
    if kind.hasV1, let count = description.v1Layout?.pieceCount(pieceLength: pieceLength) {
      description.v1Pieces = (0..<count).map { _ in SHA1Digest(generator.bytes(20))! }
    }
    addExtras(to: &description, using: &generator)
    return description
  }

  private static func addExtras(
    to description: inout TorrentDescription, using generator: inout SplitMix64
  ) {
    description.isPrivate = generator.oneIn(2)
    if generator.oneIn(2) { description.trackers = [["http://a", "http://b"], ["udp://c"]] }
    if generator.oneIn(3) { description.trackers = [["http://a"]] }
    if generator.oneIn(2) { description.webSeeds = ["http://a/"] }
    if generator.oneIn(3) { description.webSeeds = ["http://a/", "http://b/"] }
    if generator.oneIn(2) { description.comment = "ä" }
    if generator.oneIn(2) { description.creationDate = 1_700_000_000 }
    if generator.oneIn(2) { description.source = "s" }
    if generator.oneIn(2) {
      description.extraInfo = [Array("swarm".utf8): ["version": .integer(2)]]
    }
  }

  private static func entry(
    _ path: ContentPath, kind: TorrentKind, pieceLength: UInt32, layers: inout PieceLayers,
    using generator: inout SplitMix64
  ) -> FileEntry {
    let attributes = FileAttributes(rawValue: UInt8.random(in: 0...3, using: &generator))
    if generator.oneIn(8) {
      return FileEntry(
        path: path, length: 0, attributes: attributes,
        symlinkTarget: Self.path([path.elements[0]]))
    }
    let length = generator.oneIn(5) ? 0 : UInt64.random(in: 1...300_000, using: &generator)
    var entry = FileEntry(path: path, length: length, attributes: attributes)
    if kind.hasV2 && length > 0 {
      let blocks = (length + 16_383) / 16_384
      let (root, layer) = SlowReference.tree(
        (0..<blocks).map { _ in generator.sha256() }, pieceLength: Int(pieceLength))
      entry.piecesRoot = root
      if !layer.isEmpty { layers[root] = layer }
    }
    return entry
  }

  private static func element(_ generator: inout SplitMix64) -> PathElement {
    while true {
      let alphabet: [UInt8] = [0x01, 0x2d, 0x2e, 0x41, 0x61, 0x62, 0xc3, 0xff]
      let name = (0...Int.random(in: 0...3, using: &generator)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
      }
      if let element = try? PathElement(name) { return element }
    }
  }

  private static func path(_ elements: [PathElement]) -> ContentPath {
    (try? ContentPath(elements))!
  }

  private func description(_ paths: String...) throws -> TorrentDescription {
    let files = try paths.map { text in
      FileEntry(
        path: try ContentPath(try text.split(separator: "/").map { try PathElement($0.utf8) }),
        length: 1, piecesRoot: SHA256Digest(hashing: [1]))
    }
    return TorrentDescription(
      kind: .v2, name: try PathElement("t".utf8), isSingleFile: false, pieceLength: 16_384,
      files: files)
  }

  /// Values that are no torrent: what is changed, place and reason.
  static let bad: [(MetainfoFault, @Sendable (inout TorrentDescription) -> Void)] = [
    (.noFiles, { $0.files = [] }),
    (.description("files", "\"a\" is not behind \"b\""), { $0.files.reverse() }),
    (.description("files", "\"a\" is not behind \"a\""), { $0.files[1].path = $0.files[0].path }),
    (
      .fileAndFolder(Array("a".utf8)),
      { $0.files[1].path = (try? ContentPath($0.files[0].path.elements + [$0.name]))! }
    ),
    (
      .description("files", "a single file has the torrent's name as its path"),
      { $0.isSingleFile = true }
    ),
    (
      .description("files", "a single file has the torrent's name as its path"),
      {
        $0.isSingleFile = true
        $0.files.removeLast()
      }
    ),
    (.pieceLengthTooSmall(8_192), { $0.pieceLength = 8_192 }),
    (.pieceLengthNotPowerOfTwo(20_000), { $0.pieceLength = 20_000 }),
    (.contentTooLong, { $0.files[0].length = .max }),
    (.contentTooLong, { $0.files[0].length = 1 << 48 }),
    (.pieceCount(expected: 2, actual: 0), { $0.kind = .hybrid }),
    (.pieceCount(expected: 1, actual: 0), { $0.kind = .v1 }),
    (
      .description("extraInfo", "\"name\" is written already"),
      { $0.extraInfo[Array("name".utf8)] = .integer(1) }
    ),
    (
      .description("files", "\"a\" would read as something else"),
      {
        $0.files[0].length = 5
        $0.files[0].symlinkTarget = $0.files[1].path
        $0.files[0].piecesRoot = nil
      }
    ),
  ]

  @Test(arguments: bad.indices)
  func names(index: Int) throws {
    let (reason, change) = Self.bad[index]
    var description = try description("a", "b")
    _ = try description.encoded()
    change(&description)
    #expect(throws: MetainfoError(.info, reason)) { try description.encoded() }
  }

  /// A file with the name of BitComet's padding is padding in v1, wherever it stands.
  @Test(arguments: [["_____padding_file_0_", "a"], ["Z", "_____padding_file_0_"]])
  func namesOfPadding(paths: [String]) throws {
    var description = try description(paths[0], paths[1])
    _ = try description.encoded()
    description.kind = .v1
    description.v1Pieces = [SHA1Digest(hashing: [1])]
    let fault = "\"_____padding_file_0_\" would read as something else"
    #expect(throws: MetainfoError(.info, .description("files", fault))) {
      try description.encoded()
    }
  }

  /// What could not be read is not written.
  @Test func boundsTextsAndLists() throws {
    let most = [String](repeating: "u", count: MetainfoLimits.listEntries)
    let text = String(repeating: "t", count: MetainfoLimits.textBytes)
    var right = try description("a", "b")
    right.comment = text
    right.createdBy = text
    right.source = text
    right.webSeeds = most
    right.trackers = [most]
    _ = try Torrent(parsing: try right.encoded().bytes)
    let wrong: [(MetainfoPlace, MetainfoFault, (inout TorrentDescription) -> Void)] = [
      (.torrent, .textTooLong("comment", text.utf8.count + 1), { $0.comment = text + "t" }),
      (.torrent, .textTooLong("created by", text.utf8.count + 1), { $0.createdBy = text + "t" }),
      (.info, .textTooLong("source", text.utf8.count + 1), { $0.source = text + "t" }),
      (.torrent, .tooManyEntries("url-list"), { $0.webSeeds.append("u") }),
      (.torrent, .tooManyEntries("announce-list"), { $0.trackers.append(["u"]) }),
    ]
    for (place, fault, change) in wrong {
      var description = right
      change(&description)
      #expect(throws: MetainfoError(place, fault)) { try description.encoded() }
    }
  }

  @Test func insistsOnLayers() throws {
    var generator = SplitMix64(seed: 3)
    var description = try description("a", "b")
    let path = description.files[0].path
    let (root, layer) = SlowReference.tree(
      [generator.sha256(), generator.sha256()], pieceLength: 16_384)
    description.files[0].length = 20_000
    description.files[0].piecesRoot = root
    func fault(_ layers: PieceLayers) -> MetainfoError? {
      description.pieceLayers = layers
      do throws(MetainfoError) {
        _ = try description.encoded()
        return nil
      } catch {
        return error
      }
    }
    #expect(fault([root: layer]) == nil)
    #expect(fault([:])?.reason == .layer(.missing(path)))
    #expect(fault([root: layer.reversed()])?.reason == .layer(.forged(path)))
    #expect(
      fault([root: layer + layer])?.reason == .layer(.wrongLength(path, expected: 64, actual: 128)))
    #expect(
      fault([root: layer, .zero: layer])?.reason
        == .layer(.surplus([UInt8](repeating: 0, count: 32))))
  }
}

@Suite struct V1LayoutTests {
  /// Lengths in bytes, padding, offsets and length of the stream; pieces of 16 bytes.
  @Test(
    arguments: [
      ([5, 0, 20, 0], .none, [0, 5, 5, 25], 25),
      ([5, 0, 20, 0], .beforeFiles, [0, 5, 16, 36], 36),
      ([5, 0, 20, 0], .afterFiles, [0, 16, 16, 48], 48),
      ([16, 16], .afterFiles, [0, 16], 32),
      ([], .afterFiles, [], 0),
      ([0], .afterFiles, [0], 0),
    ] as [([UInt64], V1Layout.Padding, [UInt64], UInt64)])
  func layout(lengths: [UInt64], padding: V1Layout.Padding, offsets: [UInt64], length: UInt64) {
    #expect(
      V1Layout(lengths: lengths, pieceLength: 16, padding: padding)
        == V1Layout(offsets: offsets, length: length))
  }

  @Test func refusesTooMuch() {
    for lengths in [[UInt64.max], [1 << 48], [1 << 47, 1 << 47], [.max, .max]] {
      for padding in V1Layout.Padding.allCases {
        #expect(V1Layout(lengths: lengths, pieceLength: 16_384, padding: padding) == nil)
      }
    }
  }

  @Test func countsPieces() {
    #expect(V1Layout(offsets: [], length: 0).pieceCount(pieceLength: 16) == 0)
    #expect(V1Layout(offsets: [0], length: 16).pieceCount(pieceLength: 16) == 1)
    #expect(V1Layout(offsets: [0], length: 17).pieceCount(pieceLength: 16) == 2)
  }

  @Test func libtorrentsDefault() {
    #expect(V1Layout.Padding(kind: .hybrid, fileCount: 2) == .afterFiles)
    #expect(V1Layout.Padding(kind: .hybrid, fileCount: 1) == .none)
    #expect(V1Layout.Padding(kind: .v1, fileCount: 2) == .none)
  }
}
