import Metainfo
import Store
import Testing

@testable import SwarmNode

@Suite struct FileChoiceTests {
  private let temporary = TemporaryFolder()

  /// A torrent of files of these lengths, of 16 KiB pieces, hashed for real.
  private func torrent(_ kind: TorrentKind, _ lengths: [Int]) throws -> KnownTorrent {
    for (index, length) in lengths.enumerated() {
      temporary.write([UInt8](repeating: UInt8(index), count: length), to: "data/\(index)")
    }
    let loop = EventLoop()
    let content = try ContentImport(
      path: temporary("data"), name: Array("data".utf8),
      options: ImportOptions(kind: kind, pieceLength: 16_384))
    var result: Result<TorrentDescription, ContentImportError>?
    content.start(on: loop) { result = $0 }
    loop.run()
    let description = try #require(try result?.get())
    return KnownTorrent(
      info: try description.infoDictionary(), pieceLayers: description.pieceLayers)
  }

  /// By a scan and by the torrent's names the same files look the same.
  @Test func aTorrentsFilesAreThoseOfAScan() throws {
    let info = try torrent(.v2, [100, 16_384, 0]).info
    let scanned = ContentRecord.items(of: try FolderScanner.scan(temporary("data")))
    #expect(ContentRecord.items(of: info, at: temporary("data")) == scanned)
    temporary.write([1], to: "data/beside")
    #expect(ContentRecord.items(of: info, at: temporary("data")) == scanned)
    temporary.write([1], to: "data/2")
    #expect(ContentRecord.items(of: info, at: temporary("data")) != scanned)
    #expect(ContentRecord.items(of: info, at: temporary("elsewhere")).isEmpty)
  }

  @Test func numbersCountPadding() throws {
    let lengths = [100, 16_384, 0, 5, 7]
    #expect(FileChoice.numbers(in: try torrent(.v2, lengths).info) == [0, 1, 2, 3, 4])
    #expect(FileChoice.numbers(in: try torrent(.v1, lengths).info) == [0, 1, 2, 3, 4])
    // Padding behind the first and the fourth file.
    #expect(FileChoice.numbers(in: try torrent(.hybrid, lengths).info) == [0, 2, 3, 4, 6])
  }

  /// Beside the definition: a file is written to if it shares a piece with a wanted one.
  @Test func neighboursThatShareAPieceAreWritten() throws {
    let lengths = [16_000, 400, 0, 3, 16_384, 16_384, 1, 40_000, 9]
    for kind in TorrentKind.allCases {
      let info = try torrent(kind, lengths).info
      var pieces: [Set<Int>] = []
      if kind == .v1 {
        let offsets = try #require(info.v1Layout?.offsets)
        pieces = lengths.indices.map { file in
          Set((0..<lengths[file]).lazy.map { (Int(offsets[file]) + $0) / 16_384 })
        }
      }
      for mask in 0..<(1 << lengths.count) {
        let wanted = lengths.indices.map { mask >> $0 & 1 == 1 }
        var expected = wanted
        if kind == .v1 {
          for file in lengths.indices {
            for other in lengths.indices where wanted[other] {
              if !pieces[file].isDisjoint(with: pieces[other]) { expected[file] = true }
            }
          }
        }
        #expect(FileChoice.written(wanted, in: info) == expected, "\(kind) \(mask)")
      }
    }
  }

  /// What is claimed is examined by a store that loads it; nothing is verified unread.
  @Test(arguments: TorrentKind.allCases)
  func claimsAreClaims(kind: TorrentKind) throws {
    let torrent = try torrent(kind, [40_000, 16_384, 0, 3])
    let state = try StateFolder(temporary("state"))
    let folder = try state.open(DatasetName(torrent.info), content: [])
    try folder.claim(filesAt: [0, 2, 3], of: torrent.info)
    let layout = try ContentLayout(torrent.info)
    var store = PieceStore(owned: layout)
    let driver = DiskDriver(
      content: try ConfinedFolder(temporary("data")),
      maps: try ConfinedFolder(folder.mapsPath), entries: torrent.info.files, buffers: NoBuffers())
    store.open(now: .zero)
    while let operation = store.nextOperation() {
      store.handle(driver.perform(operation), now: .zero)
    }
    #expect(store.isOpen)
    for file in layout.geometry.files {
      for block in layout.geometry.blocks(of: file) {
        let owners = Set(layout.geometry.spans(of: block).compactMap(\.file?.rawValue))
        let isClaimed = !owners.contains(1)
        #expect(store.state(of: block) == (isClaimed ? .claimed : .missing))
      }
    }
  }
}

private struct NoBuffers: DiskBuffers {
  func memory(of buffer: BufferHandle) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }
}
