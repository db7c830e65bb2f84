import Glibc
import Metainfo
import Testing

@testable import SwarmNode

@Suite struct JoinTargetTests {
  private let temporary = TemporaryFolder()

  private func info(_ files: [(String, UInt64)], isSingle: Bool = false) throws -> InfoDictionary {
    let description = TorrentDescription(
      kind: .v2, name: try PathElement(Array((isSingle ? files[0].0 : "data").utf8)),
      isSingleFile: isSingle, pieceLength: 16_384,
      files: try files.map { name, length in
        FileEntry(
          path: try ContentPath(name.split(separator: "/").map { try PathElement(Array($0.utf8)) }),
          length: length, piecesRoot: length == 0 ? nil : SHA256Digest(hashing: Array(name.utf8)))
      })
    return try description.infoDictionary()
  }

  private func target(_ info: InfoDictionary, wanted: (Int) -> Bool = { _ in true }) throws
    -> JoinTarget
  {
    try JoinTarget(info, in: temporary.path) { index, _ in wanted(index) }
  }

  @Test func anEmptyPlaceIsFree() throws {
    let target = try target(try info([("a", 3), ("sub/b", 2)]))
    #expect(target.obstacles.isEmpty && target.present.isEmpty)
    #expect(target.folder == temporary("data") && target.content == temporary("data"))
  }

  @Test func aSingleFileLiesInTheFolderItself() throws {
    let info = try info([("a", 3)], isSingle: true)
    temporary.write([1, 2, 3], to: "a")
    let target = try target(info)
    #expect(target.folder == temporary.path && target.content == temporary("a"))
    #expect(target.present == [0] && target.presentBytes == 3)
  }

  @Test func whatIsThereIsNamed() throws {
    let info = try info([("a", 3), ("b", 3), ("c/d", 3), ("e", 3), ("f", 0), ("g/h", 1), ("i", 3)])
    temporary.write([1, 2, 3], to: "data/a")
    temporary.write([1], to: "data/b")
    temporary.write([1], to: "data/c")
    temporary.write([1], to: "data/e/x")
    temporary.write([], to: "data/f")
    temporary.write([1], to: "elsewhere/h")
    _ = temporary("data/g").withCPath { symlink("../elsewhere", $0) }
    _ = temporary("data/i").withCPath { symlink("a", $0) }
    let target = try target(info)
    #expect(target.present == [0] && target.presentBytes == 3)
    let names = target.obstacles.map {
      String(decoding: $0.path.dropFirst(temporary.path.count), as: UTF8.self)
    }
    #expect(names == ["/data/b", "/data/c/d", "/data/e", "/data/g/h", "/data/i"])
    #expect(target.obstacles[0].description.hasSuffix("has 1 bytes, 3 expected"))
  }

  @Test func whatIsNotWantedIsNotLookedAt() throws {
    let info = try info([("a", 3), ("b", 3)])
    temporary.write([1], to: "data/a")
    temporary.write([1, 2, 3], to: "data/b")
    let target = try target(info) { $0 == 1 }
    #expect(target.obstacles.isEmpty && target.present == [1])
  }

  @Test func aFileInThePlaceOfTheFolderIsAnError() throws {
    temporary.write([1], to: "data")
    let info = try info([("a", 3), ("b", 1)])
    let error = #expect(throws: DiskError.self) { try target(info) }
    #expect(error?.errno == ENOTDIR)
  }
}
