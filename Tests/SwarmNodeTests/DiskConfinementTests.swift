import Glibc
import Metainfo
import Testing

@testable import Store
@testable import SwarmNode

/// Layouts that somebody hostile, or only careless, left in the content's folder.
@Suite struct DiskConfinementTests {
  private let temporary = DiskFolder()

  /// A driver over "content", with a folder "outside" beside it that must stay as it is.
  private func driver(_ name: String, _ resolver: ConfinedFolder.Resolver) throws -> DiskDriver {
    _ = temporary.folder("content")
    _ = temporary.folder("outside")
    temporary.write("outside/secret", [1, 2, 3])
    let root = Array((temporary.path + "/content").utf8)
    return DiskDriver(
      content: try ConfinedFolder(root, resolver: resolver), maps: try temporary.confined("maps"),
      entries: [FileEntry(path: DiskFolder.path(name), length: 5)],
      buffers: DiskTestBuffers(count: 1))
  }

  private func expectOutsideUntouched() {
    #expect(temporary.listing("outside") == ["secret"])
    #expect(temporary.read("outside/secret") == [1, 2, 3])
  }

  private let file = FileIndex(0)
  private var part: TransferPart {
    TransferPart(file: file, offset: 0, length: 5, buffer: BufferHandle(0), bufferOffset: 0)
  }
  private var actions: [DiskAction] {
    [
      .create(file, length: 5, isExecutable: true, OwnedContent()),
      .write([part], OwnedContent()), .read([part], reportsEvidence: true),
      .sync(file, isNew: true), .examine(file),
    ]
  }

  @Test(arguments: [ConfinedFolder.Resolver.fast, .portable])
  func symlinkInPlaceOfAFolder(resolver: ConfinedFolder.Resolver) throws {
    for target in ["../outside", temporary.path + "/outside", "."] {
      let driver = try driver("a/b/secret", resolver)
      _ = temporary.folder("content/a")
      symlink(target, temporary.path + "/content/a/b")
      for action in actions {
        #expect(throws: DiskError.self) { try driver.carryOut(action) }
      }
      expectOutsideUntouched()
      unlink(temporary.path + "/content/a/b")
    }
    #expect(temporary.listing("content") == ["a"])
  }

  @Test(arguments: [ConfinedFolder.Resolver.fast, .portable])
  func symlinkInPlaceOfTheFile(resolver: ConfinedFolder.Resolver) throws {
    for target in ["../outside/secret", "../outside/new", "nowhere"] {
      let driver = try driver("file", resolver)
      symlink(target, temporary.path + "/content/file")
      for action in actions {
        #expect(throws: DiskError(.open, Array("file".utf8), ELOOP)) {
          try driver.carryOut(action)
        }
      }
      expectOutsideUntouched()
      unlink(temporary.path + "/content/file")
    }
  }

  @Test(arguments: [ConfinedFolder.Resolver.fast, .portable])
  func somethingElseInPlaceOfTheFile(resolver: ConfinedFolder.Resolver) throws {
    let driver = try driver("file", resolver)
    mkfifo(temporary.path + "/content/file", 0o666)
    for action in actions {
      #expect(throws: DiskError(.open, Array("file".utf8), EMEDIUMTYPE)) {
        try driver.carryOut(action)
      }
    }
    unlink(temporary.path + "/content/file")
    _ = temporary.folder("content/file")
    for action in actions { #expect(throws: DiskError.self) { try driver.carryOut(action) } }
  }

  @Test(arguments: [ConfinedFolder.Resolver.fast, .portable])
  func aFileInPlaceOfAFolder(resolver: ConfinedFolder.Resolver) throws {
    let driver = try driver("a/b", resolver)
    temporary.write("content/a", [7])
    for action in actions { #expect(throws: DiskError.self) { try driver.carryOut(action) } }
    #expect(temporary.read("content/a") == [7])
  }

  @Test(arguments: [ConfinedFolder.Resolver.fast, .portable])
  func missingFileAndFolder(resolver: ConfinedFolder.Resolver) throws {
    let driver = try driver("a/b", resolver)
    #expect(try driver.carryOut(.examine(file)) == .evidence([nil]))
    #expect(
      throws: DiskError(.open, Array("a/b".utf8), ENOENT),
      performing: {
        do throws(DiskError) {
          _ = try driver.carryOut(.read([part], reportsEvidence: false))
        } catch {
          throw DiskError(.open, Array("a/b".utf8), error.errno)
        }
      })
    #expect(throws: DiskError(.open, Array("/nowhere/at/all".utf8), ENOENT)) {
      _ = try ConfinedFolder(Array("/nowhere/at/all".utf8))
    }
    _ = try driver.carryOut(actions[0])
    #expect(temporary.listing("content") == ["a", "a/b"])
    // The folder disappears while the node runs.
    unlink(temporary.path + "/content/a/b")
    rmdir(temporary.path + "/content/a")
    rmdir(temporary.path + "/content")
    #expect(try driver.carryOut(.examine(file)) == .evidence([nil]))
    #expect(throws: DiskError.self) { try driver.carryOut(actions[0]) }
  }

  @Test func folderThatTakesNothing() throws {
    // Root may write to a folder without permissions, so for root it is one of the kernel's.
    var place = "/proc/self"
    if geteuid() != 0 {
      place = temporary.folder("locked")
      chmod(place, 0o555)
    }
    let driver = DiskDriver(
      content: try ConfinedFolder(Array(place.utf8)), maps: try temporary.confined("maps"),
      entries: [FileEntry(path: DiskFolder.path("new/file"), length: 5)],
      buffers: DiskTestBuffers(count: 1))
    let completion = driver.perform(DiskOperation(id: 3, action: actions[0]))
    #expect(completion.id == 3)
    guard case .failure(let failure) = completion.result else {
      Issue.record("something was made in \(place)")
      return
    }
    #expect(failure.reason == .other && failure.description.contains("new"))
  }

  @Test func longerFileIsNotCut() throws {
    let driver = try driver("file", .fast)
    temporary.write("content/file", [1, 2, 3, 4, 5, 6])
    #expect(throws: DiskError(.create, Array("file".utf8), EFBIG)) {
      try driver.carryOut(actions[0])
    }
    #expect(temporary.read("content/file") == [1, 2, 3, 4, 5, 6])
    temporary.write("content/file", [1, 2, 3])
    _ = try driver.carryOut(actions[0])
    #expect(temporary.read("content/file") == [1, 2, 3, 0, 0])
  }

  @Test func symlinksOfATorrent() throws {
    let driver = try driver("a/link", .fast)
    let make = DiskAction.createSymlink(file, text: Array("../x".utf8), OwnedContent())
    _ = try driver.carryOut(make)
    _ = try driver.carryOut(make)
    #expect(temporary.mode("content/a/link") & S_IFMT == S_IFLNK)
    #expect(throws: DiskError(.create, Array("a/link".utf8), EEXIST)) {
      try driver.carryOut(.createSymlink(file, text: Array("../y".utf8), OwnedContent()))
    }
  }
}
