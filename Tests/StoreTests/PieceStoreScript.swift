import Metainfo
import Testing

@testable import Store

/// A piece store whose disk is the test itself.
enum PieceStoreScript {
  static let second = Duration.seconds(1)

  /// One file of 100 blocks, an empty one, a symlink.
  static func layout() throws -> ContentLayout {
    let entries = [
      FileEntry(
        path: PieceStoreNames.path("a/image"), length: 100 * 16_384, attributes: .executable,
        piecesRoot: SHA256Digest(hashing: [1])),
      FileEntry(path: PieceStoreNames.path("empty"), length: 0),
      FileEntry(
        path: PieceStoreNames.path("a/b/link"), length: 0,
        symlinkTarget: PieceStoreNames.path("c/target")),
    ]
    return ContentLayout(
      geometry: try PieceGeometry(v2Lengths: [100 * 16_384, 0, 0], pieceLength: 65_536),
      entries: entries)
  }

  /// A store over a disk without content, opened.
  static func opened(policy: CheckpointPolicy = CheckpointPolicy()) throws -> PieceStore {
    var store = PieceStore(owned: try layout(), policy: policy)
    store.open(now: .zero)
    let load = try Self.next(&store)
    store.handle(DiskCompletion(id: load.id, result: .success(.map(nil))), now: .zero)
    Self.expectNotice(&store, .opened)
    return store
  }

  static func block(_ number: Int, _ store: PieceStore) -> BlockIndex {
    store.layout.geometry.blocks(of: store.layout.geometry.files[0])[number]
  }

  /// Hands out all operations, each of which succeeds; what they were.
  static func succeed(_ store: inout PieceStore, now: Duration = .zero) -> [DiskAction] {
    var actions: [DiskAction] = []
    while let operation = store.nextOperation() {
      actions.append(operation.action)
      store.handle(DiskCompletion(id: operation.id, result: .success(.done)), now: now)
    }
    return actions
  }

  static func next(_ store: inout PieceStore) throws -> DiskOperation {
    let operation = store.nextOperation()
    return try #require(operation)
  }

  static func expectIdle(_ store: inout PieceStore) {
    let operation = store.nextOperation()
    #expect(operation == nil)
  }

  static func expectNotice(_ store: inout PieceStore, _ expected: StoreNotice?) {
    let notice = store.nextNotice()
    #expect(notice == expected)
  }

  static func expectWrite(
    _ store: inout PieceStore, _ block: BlockIndex, _ buffer: BufferHandle,
    _ expected: PieceStore.Admission
  ) {
    let admission = store.write(block, from: buffer, isHashed: true)
    #expect(admission == expected)
  }
}
