import CGuard
import Glibc
import Metainfo
import Store
import Testing

@testable import SwarmNode

@Suite struct GuardTests {
  /// A mapped file that is cut short under the hash.
  @Test(arguments: HashEngine.allCases)
  func vanishedPagesDoNotEndTheProcess(engine: HashEngine) {
    #expect(cguard_install())
    let folder = TemporaryFolder()
    folder.write(pattern(1 << 20), to: "file")
    let length = 1 << 20
    let descriptor = folder("file").withCPath { open($0, O_RDONLY) }
    defer { close(descriptor) }
    guard let start = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED
    else {
      Issue.record("cannot map a file")
      return
    }
    defer { munmap(start, length) }
    _ = folder("file").withCPath { truncate($0, 500_000) }
    let hasher = BulkHasher(engine: engine, perform: { cguard_run($0, $1) })
    var digests = [SHA256Digest](repeating: .zero, count: 64)
    let bytes = UnsafeRawBufferPointer(start: start, count: length)
    #expect(!digests.withUnsafeMutableBufferPointer { hasher.sha256(ofBlocksIn: bytes, into: $0) })
    // What is still there can be hashed as if nothing had been.
    let rest = UnsafeRawBufferPointer(rebasing: bytes[..<(20 * blockLength)])
    #expect(digests.withUnsafeMutableBufferPointer { hasher.sha256(ofBlocksIn: rest, into: $0) })
    for index in 0..<20 {
      let block = rest[(index * blockLength)..<((index + 1) * blockLength)]
      #expect(digests[index] == SHA256Digest(hashing: UnsafeRawBufferPointer(rebasing: block)))
    }
  }
}

@Suite struct ProgramArgumentTests {
  /// As links are read, so are they hidden: all that would be taken for the parameter.
  @Test(arguments: [
    ("x.rk=abc", "x.rk=***"),
    ("magnet:?xs=u&x.rk=ab&dn=x.r&X.Rk=c", "magnet:?xs=u&x.rk=**&dn=x.r&X.Rk=*"),
    ("x.rk.1=ab&x.rk.=c&x.rk=", "x.rk.1=**&x.rk.=*&x.rk="), ("x.rk", "x.rk"), ("", ""),
    ("x.rkk=ab&x.r=c&x.rk.1", "x.rkk=ab&x.r=c&x.rk.1"), ("x.rk=x.rk=a&b", "x.rk=******&b"),
  ])
  func readKeysAreOverwritten(word: String, hidden: String) {
    var bytes = word.utf8.map { CChar(bitPattern: $0) } + [0]
    carguments_hide_in(&bytes, "x.rk")
    #expect(bytes.dropLast().map { UInt8(bitPattern: $0) } == Array(hidden.utf8))
  }
}

@Suite struct WholeFileTests {
  @Test func fileIsReplacedOrKept() throws {
    let folder = TemporaryFolder()
    try WholeFile.write([1, 2], to: folder("f"))
    try WholeFile.write([3], to: folder("f"))
    #expect(try WholeFile.read(folder("f"), limit: 1) == [3])
    #expect(throws: SystemError.self) {
      try WholeFile.write([4], to: folder("f"), keepsExisting: true)
    }
    #expect(try WholeFile.read(folder("f"), limit: 1) == [3])
    #expect(try FolderScanner.scan(folder.path).items.count == 1, "a temporary file was left")
  }

  @Test func largeFilesFoldersAndNothingAreErrors() {
    let folder = TemporaryFolder()
    folder.write([1, 2, 3], to: "f")
    #expect(throws: SystemError("read", folder("f"), EFBIG)) {
      try WholeFile.read(folder("f"), limit: 2)
    }
    #expect(throws: SystemError("read", folder.path, EISDIR)) {
      try WholeFile.read(folder.path, limit: 2)
    }
    #expect(throws: SystemError("read", folder("g"), ENOENT)) {
      try WholeFile.read(folder("g"), limit: 2)
    }
  }

  @Test func nothingButAFileIsReplaced() throws {
    let folder = TemporaryFolder()
    folder.write([1], to: "content")
    _ = folder("pipe").withCPath { mkfifo($0, 0o600) }
    _ = folder("link").withCPath { symlink("pipe", $0) }
    _ = folder("hard").withCPath { new in folder("content").withCPath { Glibc.link($0, new) } }
    for name in ["pipe", "link"] {
      #expect(throws: SystemError.self) { try WholeFile.write([2], to: folder(name)) }
      #expect(throws: SystemError.self) {
        try WholeFile.checkTarget(folder(name), sparing: folder("content"))
      }
    }
    for name in ["content", "hard", "nowhere/file"] {
      #expect(throws: SystemError.self) {
        try WholeFile.checkTarget(folder(name), sparing: folder("content"))
      }
    }
    try WholeFile.checkTarget(folder("new"), sparing: folder("content"))
    var status = stat()
    #expect(folder("pipe").withCPath { lstat($0, &status) } == 0)
    #expect(fileType(status) == S_IFIFO)
    #expect(try FolderScanner.scan(folder.path).items.count == 4, "a temporary file was left")
  }

  @Test func longestNameCanBeWritten() throws {
    let folder = TemporaryFolder()
    let name = String(repeating: "n", count: 255)
    try WholeFile.write([1], to: folder(name))
    #expect(try WholeFile.read(folder(name), limit: 1) == [1])
  }
}
