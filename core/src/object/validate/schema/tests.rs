use super::*;

#[test]
fn fields_stand_in_order() {
    fn walk(shape: &'static Shape, depth: usize) {
        assert!(depth < 32);
        match shape {
            Shape::Object { fields, groups } => {
                assert!(fields.is_sorted_by_key(|f| f.name));
                for field in *fields {
                    assert!(!field.doc.is_empty() && !field.doc.ends_with('.'));
                    walk(field.shape, depth + 1);
                }
                for name in groups.iter().flat_map(|g| g.fields) {
                    assert!(fields.iter().any(|f| f.name == *name));
                }
            }
            Shape::Map(inner) | Shape::List { items: inner, .. } => walk(inner, depth + 1),
            _ => {}
        }
    }
    walk(&POLICY, 0);
    walk(&CIDR_GROUP, 0);
}
