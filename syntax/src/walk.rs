//! Looks at every expression of a body.

use crate::ast::{Body, Expr, Literal, Statement};
use crate::source::Span;
use crate::token::TokenKind;

/// The names of environment variables that a body asks for by name, and where it does.
pub fn variables(body: &Body) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    in_body(body, &mut |expr| {
        if let Expr::Call(call) = expr
            && is_env(&call.function)
            && let [
                Expr::Literal(Literal {
                    kind: TokenKind::String,
                    text,
                    ..
                }),
            ] = &*call.arguments
            && let Ok(name) = crate::literal::unquote(text)
        {
            found.push((expr.span(), name));
        }
    });
    found
}

/// `sys.env`, or its old name.
fn is_env(function: &Expr) -> bool {
    match function {
        Expr::Ident(name) => name.text == "env",
        Expr::Access(access) => {
            let sys = matches!(&*access.value, Expr::Ident(name) if name.text == "sys");
            sys && access.name.text == "env"
        }
        _ => false,
    }
}

fn in_body(body: &Body, visit: &mut impl FnMut(&Expr)) {
    for statement in &body.statements {
        match statement {
            Statement::Attribute(attribute) => in_expr(&attribute.value, visit),
            Statement::Block(block) => in_body(&block.body, visit),
        }
    }
}

fn in_expr(expr: &Expr, visit: &mut impl FnMut(&Expr)) {
    visit(expr);
    match expr {
        Expr::Literal(_) | Expr::Ident(_) | Expr::Invalid(_) => {}
        Expr::Array(array) => array.elements.iter().for_each(|e| in_expr(e, visit)),
        Expr::Object(object) => {
            let values = object.fields.iter().map(|field| &field.value);
            values.for_each(|value| in_expr(value, visit));
        }
        Expr::Access(access) => in_expr(&access.value, visit),
        Expr::Index(index) => {
            in_expr(&index.value, visit);
            in_expr(&index.index, visit);
        }
        Expr::Call(call) => {
            in_expr(&call.function, visit);
            call.arguments.iter().for_each(|e| in_expr(e, visit));
        }
        Expr::Unary(unary) => in_expr(&unary.operand, visit),
        Expr::Binary(binary) => {
            in_expr(&binary.left, visit);
            in_expr(&binary.right, visit);
        }
        Expr::Paren(paren) => in_expr(&paren.inner, visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    #[test]
    fn variables_are_found_wherever_they_are_asked_for() {
        let text = "a = sys.env(\"A\")\nb {\n\tc = [1 + env(`B`), { d = f(-sys.env(\"C\"))[0] }]\n\te = \
                    sys.env(name) + x.env(\"D\")\n}\n";
        let source = SourceFile::new("t", text);
        let (file, _) = crate::parse(&source);
        let found = variables(&file.body);
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C"]);
        assert_eq!(source.slice(found[1].0), "env(`B`)");
    }
}
