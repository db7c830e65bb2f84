import Glibc
import Metainfo
import Testing

@testable import Store
@testable import SwarmNode

/// The piece store and the driver together, over real files.
@Suite struct DiskDriverTests {
  private let temporary = DiskFolder()
  private static let lengths: [UInt64] = [100_000, 0, 1, 16_384, 40_000, 0]
  private static let names = ["a/big", "empty", "a/b/c/tiny", "run", "last", "a/link"]

  private static func entries(_ lengths: [UInt64]) -> [FileEntry] {
    zip(names, lengths).enumerated().map { number, file in
      FileEntry(
        path: DiskFolder.path(file.0), length: file.1,
        attributes: file.0 == "run" ? .executable : [],
        symlinkTarget: file.0 == "a/link" ? DiskFolder.path("a/b/c/tiny") : nil,
        piecesRoot: file.1 == 0 ? nil : SHA256Digest(hashing: [UInt8(number)]))
    }
  }

  private static func layout(_ kind: TorrentKind) throws -> ContentLayout {
    if kind == .v2 {
      return ContentLayout(
        geometry: try PieceGeometry(v2Lengths: lengths, pieceLength: 32_768),
        entries: entries(lengths))
    }
    var start: UInt64 = 0
    let files = lengths.map { length in
      defer { start += length + 100 }
      return PieceGeometry.File(length: length, v1Offset: start)
    }
    let geometry = try PieceGeometry(v1Files: files, v1Length: start, pieceLength: 30_000)
    return ContentLayout(
      v1Geometry: geometry, entries: entries(lengths), infoHash: SHA1Digest(hashing: [1]))
  }

  /// A store with its driver; every block has the buffer of its own number.
  private struct Node {
    var store: PieceStore
    let driver: DiskDriver
    let buffers = DiskTestBuffers(count: 32)
    var notices: [StoreNotice] = []

    init(_ store: PieceStore, _ temporary: DiskFolder) throws {
      self.store = store
      driver = DiskDriver(
        content: try temporary.confined("content"), maps: try temporary.confined("maps"),
        entries: store.layout.entries, buffers: buffers)
    }

    var blocks: [BlockIndex] {
      store.layout.geometry.pieces.flatMap { Array(store.layout.geometry.blocks(of: $0)) }
    }

    mutating func run() {
      while let operation = store.nextOperation() {
        store.handle(driver.perform(operation), now: .zero)
      }
      while let notice = store.nextNotice() { notices.append(notice) }
    }

    /// The right bytes of a block: those of its files, and zeros.
    func bytes(of block: BlockIndex) -> [UInt8] {
      store.layout.geometry.spans(of: block).flatMap { span in
        let start = Int(span.offset)
        return (start..<(start + Int(span.length))).map { offset in
          span.file.map { DiskDriverTests.byte($0.rawValue, offset) } ?? 0
        }
      }
    }

    func buffer(of block: BlockIndex) -> BufferHandle { BufferHandle(UInt64(block.rawValue)) }

    func content(of block: BlockIndex) -> [UInt8] {
      Array(buffers.memory(of: buffer(of: block)).prefix(bytes(of: block).count))
    }
  }

  private static func byte(_ file: UInt32, _ offset: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: offset &* 31 &+ offset >> 8 &+ Int(file) &+ 1)
  }

  @Test(arguments: [TorrentKind.v1, .v2])
  func writeStopReadAndSeedInPlace(kind: TorrentKind) throws {
    let layout = try Self.layout(kind)
    var writer = try Node(PieceStore(owned: layout), temporary)
    writer.store.open(now: .zero)
    writer.store.createEmptyEntries()
    for block in writer.blocks.reversed() {
      writer.buffers.memory(of: writer.buffer(of: block)).copyBytes(from: writer.bytes(of: block))
      let admission = writer.store.write(block, from: writer.buffer(of: block), isHashed: true)
      #expect(admission == .queued)
    }
    writer.run()
    #expect(writer.notices.count == 1 + writer.blocks.count)
    writer.store.close(now: .zero)
    writer.run()
    #expect(writer.notices.last == .closed)
    expectContent()

    // The next start trusts the clean stop, and reads what was written.
    var reader = try Node(PieceStore(owned: layout), temporary)
    try expectAllReadable(&reader)
    reader.store.close(now: .zero)
    reader.run()

    // The same folder as the user's own.
    var seed = try Node(PieceStore(inPlace: layout), temporary)
    try expectAllReadable(&seed)
    temporary.write("content/run", [UInt8](repeating: 9, count: 16_384))
    let changed = layout.geometry.blocks(of: layout.geometry.files[3])[0]
    let proof = try #require(seed.store.verified(changed))
    let isReading = seed.store.read(proof, into: seed.buffer(of: changed))
    #expect(isReading)
    seed.run()
    #expect(
      seed.notices.suffix(2) == [
        .changed(
          layout.geometry.files[3], lost: [layout.geometry.blocks(of: layout.geometry.files[3])]),
        .unread(changed, seed.buffer(of: changed)),
      ])
    #expect(seed.store.state(of: changed) == .missing)
    #expect(seed.store.verified(seed.blocks[0]) != nil)
  }

  private func expectContent() {
    for (number, name) in Self.names.enumerated() where Self.lengths[number] > 0 {
      let bytes = (0..<Int(Self.lengths[number])).map { Self.byte(UInt32(number), $0) }
      #expect(temporary.read("content/" + name) == bytes)
    }
    #expect(temporary.read("content/empty") == [])
    #expect(temporary.read("content/a/link") == [Self.byte(2, 0)])
    #expect(temporary.mode("content/run") & S_IXUSR != 0)
    #expect(temporary.mode("content/last") & S_IXUSR == 0)
  }

  private func expectAllReadable(_ node: inout Node) throws {
    node.store.open(now: .zero)
    node.run()
    for block in node.blocks {
      let proof = try #require(node.store.verified(block))
      node.buffers.memory(of: node.buffer(of: block)).initializeMemory(
        as: UInt8.self, repeating: 0xEE)
      let isReading = node.store.read(proof, into: node.buffer(of: block))
      #expect(isReading)
    }
    node.run()
    for block in node.blocks { #expect(node.content(of: block) == node.bytes(of: block)) }
    #expect(node.notices.count == 1 + node.blocks.count)
  }

  @Test func shortFileIsAnError() throws {
    let layout = try Self.layout(.v2)
    let node = try Node(PieceStore(owned: layout), temporary)
    temporary.write("content/last", [1, 2, 3])
    let part = TransferPart(
      file: layout.geometry.files[4], offset: 0, length: 4, buffer: BufferHandle(0),
      bufferOffset: 0)
    #expect(throws: DiskError(.read, Array("last".utf8), ENODATA)) {
      try node.driver.carryOut(.read([part], reportsEvidence: false))
    }
  }

  /// The user's folder is removed, made anew, and moved away; what is at the path counts.
  @Test func theUsersFolderIsFollowed() throws {
    _ = temporary.folder("content")
    let driver = DiskDriver(
      contentInPlace: Array((temporary.path + "/content").utf8),
      maps: try temporary.confined("maps"),
      entries: [FileEntry(path: DiskFolder.path("a"), length: 5)],
      buffers: DiskTestBuffers(count: 1))
    let file = try #require(try PieceGeometry(v2Lengths: [5], pieceLength: 16_384).files.first)
    let part = TransferPart(
      file: file, offset: 0, length: 5, buffer: BufferHandle(0), bufferOffset: 0)
    func look() throws -> DiskCompletion.Value { try driver.carryOut(.examine(file)) }
    func read() throws -> [UInt8] {
      _ = try driver.carryOut(.read([part], reportsEvidence: true))
      return Array(driver.buffers.memory(of: BufferHandle(0)).prefix(5))
    }
    #expect(try look() == .evidence([nil]))
    temporary.write("content/a", [1, 2, 3, 4, 5])
    let before = try look()
    #expect(try read() == [1, 2, 3, 4, 5])
    // Another one in its place: the one that is open is read no more once somebody looks.
    rename(temporary.path + "/content", temporary.path + "/away")
    #expect(try look() == .evidence([nil]))
    _ = temporary.folder("content")
    #expect(try look() == .evidence([nil]))
    temporary.write("content/a", [6, 7, 8, 9, 10])
    #expect(try look() != before)
    #expect(try read() == [6, 7, 8, 9, 10])
    // Removed under an open file, and made anew.
    unlink(temporary.path + "/content/a")
    #expect(throws: DiskError(.open, Array("a".utf8), ENOENT)) { try read() }
    rmdir(temporary.path + "/content")
    #expect(try look() == .evidence([nil]))
    rename(temporary.path + "/away", temporary.path + "/content")
    #expect(try look() == before)
    #expect(try read() == [1, 2, 3, 4, 5])
  }

  @Test func fewFilesStayOpen() throws {
    let count = DiskLimits.openFiles * 2
    let entries = (0..<count).map { FileEntry(path: DiskFolder.path("f\($0)"), length: 1) }
    let driver = DiskDriver(
      content: try temporary.confined("content"), maps: try temporary.confined("maps"),
      entries: entries, buffers: DiskTestBuffers(count: 1))
    let geometry = try PieceGeometry(
      v2Lengths: entries.map(\.length), pieceLength: UInt64(blockLength))
    for file in geometry.files {
      _ = try driver.carryOut(.create(file, length: 1, isExecutable: false, OwnedContent()))
      #expect(driver.cache.count <= DiskLimits.openFiles)
    }
    // One that was let go opens again.
    _ = try driver.carryOut(.sync(geometry.files[0], isNew: true))
    #expect(driver.cache.find(geometry.files[0], toWrite: false) != nil)
    #expect(driver.cache.find(geometry.files[0], toWrite: true) == nil)
  }

  @Test func replacesWholeFiles() throws {
    let folder = try temporary.confined("state")
    let name = try PathElement("head".utf8)
    temporary.write("victim", [1])
    symlink("../victim", temporary.path + "/state/head.new")
    try folder.replace(name, with: [1, 2, 3], mode: 0o600)
    #expect(temporary.read("state/head") == [1, 2, 3])
    #expect(temporary.mode("state/head") & 0o777 == 0o600)
    try folder.replace(name, with: [4])
    #expect(temporary.read("state/head") == [4])
    #expect(temporary.listing("state") == ["head"])
    #expect(temporary.read("victim") == [1])
    _ = temporary.folder("state/folder")
    let other = try PathElement("folder".utf8)
    #expect(throws: DiskError(.replace, Array("folder".utf8), EISDIR)) {
      try folder.replace(other, with: [1])
    }
  }

  @Test func transfersSplitWithinAndBetweenBuffers() throws {
    // A pipe-sized result cannot be forced on a regular file; the cut itself can be looked at.
    let folder = try temporary.confined("content")
    let file = try folder.open([PathElement("x".utf8)], flags: O_RDWR | O_CREAT, mode: 0o600)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 30, alignment: 1)
    defer { memory.deallocate() }
    for index in 0..<30 { memory[index] = UInt8(index) }
    for done in 0...30 {
      var buffers = TransferBuffers()
      for part in [0..<7, 7..<7, 7..<8, 8..<30] {
        buffers.append(UnsafeMutableRawBufferPointer(rebasing: memory[part]))
      }
      buffers.drop(done)
      try file.write(from: buffers, at: UInt64(done))
      #expect(try file.readUpTo(30, at: UInt64(done)) == (done..<30).map { UInt8($0) })
      ftruncate(file.descriptor, 0)
    }
  }
}
