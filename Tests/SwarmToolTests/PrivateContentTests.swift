import Glibc
import Metainfo
import Store
import SwarmNode
import Testing

@testable import SwarmTool

/// Content of a private dataset is not shared without its key by the way.
@Suite struct PrivateContentTests {
  private let scratch = ScratchFolder()
  private let teller = StatusDisplay(isJSON: true)

  private func state() throws -> StateFolder { try StateFolder(scratch("state")) }

  private func folder(_ name: String) {
    _ = mkdir(scratch(name).map { CChar(bitPattern: $0) } + [0], 0o755)
  }

  private func write(_ name: String) throws { try WholeFile.write([1, 2, 3], to: scratch(name)) }

  /// Shares it as a torrent without a key; what is refused, in words.
  private func refusal(_ name: String) throws -> String? {
    let state = try state()
    do throws(Failure) {
      _ = try SeedSource.ofContent(
        scratch(name), name: Array("name".utf8),
        options: ImportOptions(kind: .v2, pieceLength: nil),
        state: state, teller: teller)
      return nil
    } catch { return error.message }
  }

  private func publish(_ name: String, isPrivate: Bool = false) throws -> PublishedSource {
    try state().publish(
      scratch(name), key: nil, name: nil, kind: nil, pieceLength: nil, isPrivate: isPrivate)
  }

  /// top/pr is private, top/open is not.
  private func layOut() throws -> PublishedSource {
    for name in ["top", "top/pr", "top/pr/sub", "top/open", "top/prx"] { folder(name) }
    for name in ["top/pr/a", "top/pr/sub/b", "top/open/a", "top/prx/a"] { try write(name) }
    return try publish("top/pr", isPrivate: true)
  }

  @Test func whatIsPrivateIsNotSharedPlain() throws {
    let source = try layOut()
    for name in ["top/pr", "top/pr/a", "top/pr/sub", "top"] {
      let text = try #require(try refusal(name))
      #expect(text.contains("private dataset") && text.contains("from another path"), "\(text)")
      #expect(text.contains(source.key.hex.prefix(12)))
    }
    #expect(try refusal("top/open") == nil)
    #expect(try refusal("top/prx") == nil)
    // Gone: whatever is there next time is another matter.
    _ = rename(
      scratch("top/pr").map { CChar(bitPattern: $0) } + [0],
      scratch("moved").map { CChar(bitPattern: $0) } + [0])
    #expect(try refusal("top") == nil)
  }

  @Test func norIsItPublishedByAnotherKey() throws {
    let source = try layOut()
    let keys = try state().keys.keys()
    for name in ["top/pr/a", "top/pr/sub", "top"] {
      #expect(throws: PublicationError.self) { try publish(name) }
    }
    // No key was made for it.
    #expect(try state().keys.keys() == keys)
    #expect(try publish("top/pr") == source)
    #expect(try publish("top/pr/sub", isPrivate: true).key != source.key)
    #expect(try publish("top/open").key != source.key)
  }

  /// A folder with what was fetched of somebody else's private dataset.
  @Test func norWhatWasFetched() throws {
    let state = try state()
    for name in ["dir", "dir/data@1"] { folder(name) }
    try write("dir/data@1/a")
    let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 4, count: 32)))
    let infohash = SHA256Digest(hashing: [1])
    let head = try Head(version: 1, infohash: infohash, signedBy: secret)
    _ = try state.dataset(secret.key).keep(head: head)
    let name = try #require(DatasetName(v1: nil, v2: infohash))
    try state.claim(scratch("dir/data@1"), for: name)
    // Public so far.
    #expect(try refusal("dir") == nil)
    try state.keep(
      try #require(ReadKey([UInt8](repeating: 0xE7, count: 32))), of: secret.key)
    for name in ["dir", "dir/data@1", "dir/data@1/a"] {
      #expect(try refusal(name)?.contains("private dataset") == true)
    }
    let found = state.fetchedVersion(at: scratch("dir/data@1"))
    #expect(found?.key == secret.key && found?.number == 1)
    #expect(state.fetchedVersion(at: scratch("dir")) == nil)
  }

  @Test func whatIsPublishedOtherwiseOffersNoWayAroundTheKey() throws {
    _ = try layOut()
    #expect(throws: PublicationError.self) {
      try state().publish(
        scratch("top/pr"), key: nil, name: [1], kind: nil, pieceLength: nil)
    }
    do {
      _ = try state().publish(scratch("top/pr"), key: nil, name: [1], kind: nil, pieceLength: nil)
    } catch { #expect(!"\(error)".contains("no-key")) }
  }

  /// Nothing was published: the key goes again. Once something was, it stays.
  @Test func aKeyThatPublishedNothingIsForgotten() throws {
    folder("empty")
    for isPrivate in [false, true] {
      let source = try publish("empty", isPrivate: isPrivate)
      #expect(throws: Failure.self) {
        try SeedSource.ofDataset(source, state: try state(), teller: teller)
      }
      #expect(try state().keys.keys().isEmpty)
      #expect(try state().privateDatasets().isEmpty)
      #expect(try state().publishedSource(at: scratch("empty")) == nil)
    }
    try write("empty/a")
    let source = try publish("empty")
    _ = try SeedSource.ofDataset(source, state: try state(), teller: teller)
    try state().forget(unpublished: source)
    #expect(try state().publishedSource(at: scratch("empty")) == source)
    #expect(try state().keys.keys() == [source.key])
  }

  /// Published once by mistake: the path goes to the dataset that was meant.
  @Test func aPathPublishedByMistakeGoesToItsDataset() throws {
    for name in ["old", "new"] {
      folder(name)
      try write(name + "/a")
    }
    let old = try publish("old")
    _ = try SeedSource.ofDataset(old, state: try state(), teller: teller)
    _ = rmdir(scratch("old").map { CChar(bitPattern: $0) } + [0])
    _ = unlink(scratch("old/a").map { CChar(bitPattern: $0) } + [0])
    _ = rmdir(scratch("old").map { CChar(bitPattern: $0) } + [0])
    let new = try publish("new")
    let warning = try NewDataset.warning(new, in: state())
    #expect(warning.contains("a new key") && warning.contains("was it moved?"))
    #expect(warning.contains(old.key.hex.prefix(12)))
    _ = try SeedSource.ofDataset(new, state: try state(), teller: teller)
    let again = try state().publish(
      scratch("new"), key: old.key, name: nil, kind: nil, pieceLength: nil)
    #expect(again.key == old.key && again.name == old.name)
    #expect(try publish("new") == again)
  }

  @Test func aLinkFromAWebPageKeepsItsParts() throws {
    for (text, meant) in [
      ("magnet:?xs=a&amp;x.rk=b&amp;dn=c", "magnet:?xs=a&x.rk=b&dn=c"),
      ("MAGNET:?xs=a&amp;amp;b", "MAGNET:?xs=a&amp;b"), ("dir/a&amp;b", "dir/a&amp;b"),
      ("magnet:?xs=a&am", "magnet:?xs=a&am"),
    ] {
      #expect(try LinkInput.resolve(Array(text.utf8)) == Array(meant.utf8))
    }
  }

  @Test func manyChangedFilesAreOneLine() {
    var files = ChangedFiles()
    #expect(files.take() == nil)
    for number in 1...300 { files.add("f\(number)", now: .now) }
    files.add("f1", now: .now)
    let text = files.take()
    #expect(text?.hasPrefix("300 files were changed by other programs (f1, f2, f3, …)") == true)
    #expect(files.take() == nil)
    files.add("g", now: .now)
    #expect(files.take()?.hasPrefix("g was changed by another program") == true)
  }

  @Test func whatIsGoneIsNotFinished() {
    var figures = TransferFigures()
    (figures.wantedBytes, figures.doneBytes) = (5, 5)
    figures.isFinished = true
    #expect(figures.isFinished && figures.summary(place: "/o").contains("is complete"))
    figures.missingFiles = 1
    #expect(!figures.isFinished && !figures.summary(place: "/o").contains("complete"))
    #expect(figures.json.contains { $0.0 == "finished" && $0.1.flag == false })
    #expect(figures.lines(width: 80)[0].hasPrefix("gone: 1 file"))
  }
}
