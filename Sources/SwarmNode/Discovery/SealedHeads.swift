import Metainfo

/// Private datasets that are followed, and how their heads are kept in the DHT. docs/private.md.
///
/// Invariant: a dataset that is in here is asked for and told of by its disguise alone.
struct SealedHeads {
  private var boxes: [DatasetKey: SealedHeadBox] = [:]
  /// By their disguises.
  private var datasets: [DatasetKey: DatasetKey] = [:]
  /// Those for which there is no box, since nobody can sign by their keys.
  private var hopeless: Set<DatasetKey> = []

  /// A dataset is followed by its key and read key; nil where nobody can sign by that key.
  mutating func add(_ key: DatasetKey, salt: [UInt8], _ readKey: ReadKey) -> SealedHeadBox? {
    if let box = boxes[key] { return box }
    guard let box = SealedHeadBox(key, headSalt: salt, readKey) else {
      hopeless.insert(key)
      return nil
    }
    boxes[key] = box
    datasets[box.key] = key
    return box
  }

  /// It is followed no more.
  mutating func remove(_ key: DatasetKey) -> SealedHeadBox? {
    hopeless.remove(key)
    guard let box = boxes.removeValue(forKey: key) else { return nil }
    datasets[box.key] = nil
    return box
  }

  /// Whether the dataset is one of these.
  func isPrivate(_ key: DatasetKey) -> Bool { boxes[key] != nil || hopeless.contains(key) }

  /// What the DHT is given for a head; nil where it is no head of a dataset in here, or not the secret's.
  func seal(_ item: MutableItem, with secret: DatasetSecret) throws(SealedHeadError) -> MutableItem?
  {
    guard let box = boxes[item.key], secret.key == item.key else { return nil }
    let head: Head
    do throws(HeadError) { head = try Head(item) } catch { throw .head(error) }
    return try box.seal(head, with: secret)
  }

  /// The head that an item of the DHT is or holds; nil for what is in a private dataset's place and holds
  /// none.
  func opened(_ item: MutableItem) -> MutableItem? {
    guard let key = datasets[item.key], let box = boxes[key] else { return item }
    return (try? box.open(item))?.item
  }
}
